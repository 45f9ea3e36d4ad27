//! `handstamp accounts`.

use handstamp_client::{AccountName, AuthError};
use serde_json::{Value as Json, json};

use super::opened::Opened;
use super::{Place, account_name, failures, notes, with};
use crate::failure::{Exit, Failure, say};
use crate::output::{self, Table};
use crate::words::or_nothing;

/// What to do with the accounts of this machine.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List the accounts of this machine, without asking any service
    List(List),
    /// Use an account from now on; the others stay signed in
    Switch(One),
    /// Sign an account out and forget it
    Remove(Remove),
}

/// How to list.
#[derive(clap::Args, Debug)]
pub(crate) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

/// Which account.
#[derive(clap::Args, Debug)]
pub(crate) struct One {
    /// Its name, as the list shows it
    #[arg(value_name = "NAME", value_parser = account_name)]
    name: AccountName,

    #[command(flatten)]
    place: Place,
}

/// Which account, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    /// Remove what is kept, readable or not, without telling the service: for an account whose key
    /// is lost
    #[arg(long)]
    forget: bool,

    #[command(flatten)]
    one: One,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(options) => list(options),
        Command::Switch(options) => switch(options),
        Command::Remove(options) => remove(options),
    }
}

/// What is known of an account here.
struct About {
    name: AccountName,
    is_current: bool,
    service: Option<String>,
    subject: Option<String>,
    state: String,
}

fn list(options: &List) -> Result<(), Failure> {
    with(None, &options.place, async |opened| {
        let mut all = Vec::new();
        for name in opened.accounts.list().map_err(|error| failures::of_storage(&error))? {
            all.push(about(opened, name).await);
        }
        if options.json {
            let accounts: Vec<_> = all.iter().map(as_json).collect();
            return output::json(&json!({ "accounts": accounts }));
        }
        let mut table = Table::new(["account", "used now", "service", "subject", "state"]);
        for about in all {
            table.row([
                about.name.to_string(),
                if about.is_current { "yes" } else { "no" }.into(),
                or_nothing(about.service),
                or_nothing(about.subject),
                about.state,
            ]);
        }
        table.print()
    })
}

async fn about(opened: &Opened, name: AccountName) -> About {
    let current = opened.accounts.current_name();
    let service = opened.service_of(&name).ok().flatten();
    let (subject, state) = match opened.manager_of(&name) {
        Err(failure) => (None, failure.text()),
        Ok(manager) => match manager.session().await {
            Ok(Some(session)) => {
                let state = if session.is_guest { "guest" } else { "signed in" };
                (session.user.subject.clone(), state.to_owned())
            }
            Ok(None) => (None, "signed out, which the service has not heard of".into()),
            Err(error) => (None, failures::of(&name, &error).text()),
        },
    };
    About { is_current: current.as_ref() == Some(&name), name, service, subject, state }
}

fn as_json(about: &About) -> Json {
    json!({
        "name": about.name.as_str(),
        "is_current": about.is_current,
        "service": about.service,
        "subject": about.subject,
        "state": about.state,
    })
}

fn switch(options: &One) -> Result<(), Failure> {
    let name = &options.name;
    with(Some(name), &options.place, async |opened| {
        there(opened)?;
        opened.manager()?;
        opened.accounts.switch(name).await.map_err(|error| opened.failed(error))?;
        output::line(&format!("account {name} is used from now on"))
    })
}

fn remove(options: &Remove) -> Result<(), Failure> {
    let name = &options.one.name;
    with(Some(name), &options.one.place, async |opened| {
        there(opened)?;
        let _turn = opened.turn().await?;
        if options.forget {
            return forget(opened).await;
        }
        let manager = opened.manager()?;
        opened.accounts.remove(name).await.map_err(|error: AuthError| opened.failed(error))?;
        if manager.waiting_sign_outs() > 0 {
            return output::line(&format!(
                "account {name} is signed out here; it is kept until the service has heard of it"
            ));
        }
        notes::forget(&opened.path(name));
        output::line(&format!("account {name} is signed out and forgotten"))
    })
}

async fn forget(opened: &Opened) -> Result<(), Failure> {
    let name = &opened.name;
    opened.accounts.forget(name).await.map_err(|error| opened.failed(error))?;
    notes::forget(&opened.path(name));
    say("the service has not heard of it: if there was a session, sign it out from another device");
    output::line(&format!("account {name} is forgotten"))
}

fn there(opened: &Opened) -> Result<(), Failure> {
    if opened.path(&opened.name).exists() {
        return Ok(());
    }
    let line = format!("there is no account {}; handstamp accounts list shows all", opened.name);
    Err(Failure::new(line).with(Exit::NotFound))
}
