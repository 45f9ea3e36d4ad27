//! `handstamp devices`.

use handstamp_client::{AuthError, SessionManager};
use handstamp_protocol::sessions::Session;
use serde_json::json;

use super::Flags;
use crate::failure::{Exit, Failure};
use crate::output::{self, Table};
use crate::words::{or_nothing, point, state};

/// Nobody has more devices than fit onto so many pages.
const PAGES: usize = 100;

/// What to do with your devices.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List where you are signed in
    List(List),
    /// Sign a device out
    End(End),
    /// Give a device a name; this one, unless another is said
    Name(Name),
}

/// How to list.
#[derive(clap::Args, Debug)]
pub(crate) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Which device.
#[derive(clap::Args, Debug)]
pub(crate) struct End {
    /// The id of its session, as the list shows it
    #[arg(value_name = "ID")]
    id: String,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Which device, and what it is to be called.
#[derive(clap::Args, Debug)]
pub(crate) struct Name {
    /// What to call it; an empty name takes the name away
    #[arg(value_name = "NAME")]
    name: String,

    /// The id of its session [default: the one of this machine]
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(options) => list(options),
        Command::End(options) => end(options),
        Command::Name(options) => name(options),
    }
}

fn list(options: &List) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        let manager = opened.renewed().await?;
        let sessions = read(&manager).await.map_err(|error| opened.failed(error))?;
        let endless = || Failure::new("the service lists devices without end");
        let sessions = sessions.ok_or_else(|| endless().with(Exit::Unreachable))?;
        if options.json {
            return output::json(&json!({ "sessions": sessions }));
        }
        let heads = ["session", "name", "device", "address", "last active", "state"];
        let mut table = Table::new(heads);
        for session in &sessions {
            table.row([
                session.id.clone(),
                or_nothing(session.label.as_deref()),
                or_nothing(session.device_info.as_deref()),
                or_nothing(session.ip_address),
                point(session.last_activity),
                if session.is_current { "this one".into() } else { state(session) },
            ]);
        }
        table.print()
    })
}

/// All of them, over as many pages as that takes; none if there is no end to them.
async fn read(manager: &SessionManager) -> Result<Option<Vec<Session>>, AuthError> {
    let (mut sessions, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = manager.user_sessions(next.as_deref()).await?;
        sessions.extend(page.sessions);
        next = page.next;
        if next.is_none() {
            return Ok(Some(sessions));
        }
    }
    Ok(None)
}

fn end(options: &End) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        let manager = opened.renewed().await?;
        let ended = manager.end_session(&options.id).await.map_err(|error| opened.failed(error))?;
        if options.json {
            return output::json(&json!({ "ended": ended }));
        }
        let said = if ended { "is signed out" } else { "had been signed out before" };
        output::line(&format!("device {} {said}", options.id))
    })
}

fn name(options: &Name) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        let manager = opened.renewed().await?;
        let session = manager.session().await.map_err(|error| opened.failed(error))?;
        let own = session.and_then(|session| session.id.clone());
        let unknown =
            || Failure::new("the service has not said which session this is; say --id ID");
        let id = options.id.clone().or(own).ok_or_else(unknown)?;
        let label = Some(options.name.trim()).filter(|name| !name.is_empty());
        manager.name_session(&id, label).await.map_err(|error| opened.failed(error))?;
        if options.json {
            return output::json(&json!({ "session_id": id, "label": label }));
        }
        output::line(&match label {
            Some(label) => format!("device {id} is called {label}"),
            None => format!("device {id} has no name"),
        })
    })
}

#[cfg(test)]
mod tests {
    use handstamp_client::backend::{Answer, RefreshCall};
    use handstamp_client::{AuthBackend, AuthTokens, BackendError, Granted, Token};
    use handstamp_protocol::sessions::SessionList;

    use super::*;

    /// A service with so many pages.
    struct Pages(usize);

    impl AuthBackend for Pages {
        fn refresh(&self, _: RefreshCall) -> Answer<'_, Granted> {
            Box::pin(std::future::ready(Err(BackendError::Unsupported)))
        }

        fn revoke(&self, _: Token) -> Answer<'_, ()> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn sessions(&self, _: Token, cursor: Option<String>) -> Answer<'_, SessionList> {
            let page = cursor.map_or(1, |cursor| cursor.parse::<usize>().unwrap() + 1);
            let next = (page < self.0).then(|| page.to_string());
            Box::pin(std::future::ready(Ok(SessionList { sessions: Vec::new(), next })))
        }
    }

    async fn is_read(pages: usize) -> bool {
        let manager = SessionManager::builder().backend(Pages(pages)).build();
        manager.create_session(AuthTokens::new("a"), None, None).await.unwrap();
        read(&manager).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_service_that_always_has_one_more_page_is_not_asked_for_ever() {
        assert!(is_read(1).await && is_read(PAGES).await);
        assert!(!is_read(PAGES + 1).await && !is_read(usize::MAX).await);
    }
}
