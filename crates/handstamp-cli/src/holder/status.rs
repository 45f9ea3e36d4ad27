//! `handstamp status`.

use std::sync::Arc;

use handstamp_client::{AuthError, BackendError, Outcome, Session as Kept, SessionManager};
use handstamp_protocol::status::{ActiveStatus, Status};
use serde_json::{Value as Json, json};

use super::opened::Opened;
use super::{Flags, failures, notes};
use crate::failure::{Exit, Failure};
use crate::output::{self, Table};
use crate::words::{or_nothing, point};

/// How to say it.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// What is known of the session of this machine.
enum Found {
    /// The service says it is live.
    Live(Box<ActiveStatus>),
    /// The service cannot be asked.
    Offline(Arc<Kept>, Failure),
    /// The service says it is set aside.
    SetAside(Arc<Kept>, String),
    /// There is none, or it is over.
    Over(Failure),
}

/// Asks the service, and says what it said. Asking is no activity.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        let found = look(opened).await?;
        if options.json {
            output::json(&as_json(opened, &found)?)?;
        } else {
            table(opened, &found)?;
        }
        match found {
            Found::Live(_) => Ok(()),
            Found::Offline(_, failure) | Found::Over(failure) => Err(failure),
            Found::SetAside(_, message) => Err(Failure::new(message).with(Exit::Refused)),
        }
    })
}

async fn look(opened: &Opened) -> Result<Found, Failure> {
    let (manager, kept) = match opened.signed_in().await {
        Ok(found) => found,
        Err(failure) if failure.exit() == Exit::SignIn => return Ok(Found::Over(failure)),
        Err(failure) => return Err(failure),
    };
    if manager.needs_refresh().await {
        manager.refresh().await;
    }
    match manager.session_status().await {
        Ok(Status::Active(status)) => Ok(Found::Live(status)),
        Ok(Status::Inactive(status)) => inactive(opened, &manager, kept, status.message).await,
        Err(error @ (AuthError::Ended { .. } | AuthError::TokenExpired)) => {
            Ok(Found::Over(opened.failed(error)))
        }
        Err(
            error
            @ (AuthError::Offline { .. } | AuthError::Backend(BackendError::Transient { .. })),
        ) => Ok(Found::Offline(kept, opened.failed(error))),
        Err(error) => Err(opened.failed(error)),
    }
}

/// The service says no. Whether that is the end, only the refresh token tells.
async fn inactive(
    opened: &Opened,
    manager: &SessionManager,
    kept: Arc<Kept>,
    message: String,
) -> Result<Found, Failure> {
    match manager.refresh().await {
        Outcome::Rejected { reason } => Ok(Found::Over(opened.failed(AuthError::Ended { reason }))),
        Outcome::Transient { .. } => Ok(Found::SetAside(kept, message)),
        _ => match manager.session_status().await {
            Ok(Status::Active(status)) => Ok(Found::Live(status)),
            Ok(Status::Inactive(status)) => Ok(Found::SetAside(kept, status.message)),
            Err(error) => Err(opened.failed(error)),
        },
    }
}

fn as_json(opened: &Opened, found: &Found) -> Result<Json, Failure> {
    let sealed = opened.file().is_sealed().ok().flatten();
    let end = notes::end(&opened.path(&opened.name));
    let mut said = json!({
        "account": opened.name.as_str(),
        "service": opened.service()?,
        "sealed": sealed,
        "state": state(found),
    });
    let more = match found {
        Found::Live(status) => json!({
            "session": status.session,
            "expires_at": status.expires_at,
            "first_to_expire": status.first_to_expire,
        }),
        Found::Offline(kept, _) | Found::SetAside(kept, _) => json!({
            "session_id": kept.id,
            "subject": kept.user.subject,
            "expires_at": kept.tokens.expires_at,
        }),
        Found::Over(_) => json!({
            "reason": end.as_ref().and_then(|end| end.reason.as_ref()),
            "seen_at": end.as_ref().map(|end| end.seen_at),
        }),
    };
    if let (Json::Object(said), Json::Object(more)) = (&mut said, more) {
        said.extend(more);
    }
    Ok(said)
}

const fn state(found: &Found) -> &'static str {
    match found {
        Found::Live(_) => "active",
        Found::Offline(..) => "offline",
        Found::SetAside(..) => "inactive",
        Found::Over(_) => "signed_out",
    }
}

fn table(opened: &Opened, found: &Found) -> Result<(), Failure> {
    let (kept, live) = match found {
        Found::Live(status) => (None, Some(status)),
        Found::Offline(kept, _) | Found::SetAside(kept, _) => (Some(kept), None),
        Found::Over(_) => return Ok(()),
    };
    let mut table = Table::new(["what", "value"]);
    let mut row = |name: &str, value: String| table.row([name.into(), value]);
    row("account", opened.name.to_string());
    row("service", or_nothing(opened.service()?));
    row("state", state(found).into());
    if let Some(status) = live {
        let session = &status.session;
        row("session", session.id.clone());
        row("subject", or_nothing(session.subject.as_deref()));
        row("name", or_nothing(session.name.as_deref()));
        row("kind", session.kind.to_string());
        row("device", or_nothing(session.label.as_deref().or(session.device_info.as_deref())));
        row("signed in", point(session.authenticated_at));
        row("last active", point(session.last_activity));
        row("expires", point(session.expires_at));
        row("expires if idle", or_nothing(session.idle_expires_at.map(point)));
    }
    if let Some(kept) = kept {
        row("session", or_nothing(kept.id.as_deref()));
        row("subject", or_nothing(kept.user.subject.as_deref()));
        row("token good until", or_nothing(kept.tokens.expires_at.map(point)));
    }
    row("kept", kept_how(opened));
    table.print()
}

fn kept_how(opened: &Opened) -> String {
    match opened.file().is_sealed() {
        Ok(Some(true)) => "sealed".into(),
        Ok(Some(false)) => "not sealed: whoever reads the file has the session".into(),
        Ok(None) => "nothing".into(),
        Err(error) => failures::of_storage(&error).text(),
    }
}
