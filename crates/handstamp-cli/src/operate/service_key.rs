//! `handstamp service-key`.

use handstamp_protocol::paths;
use handstamp_protocol::service_keys::{
    Scope, ServiceKeyCreated, ServiceKeyList, ServiceKeyRequest, ServiceKeyRevoked,
};
use reqwest::Method;
use serde_json::json;

use super::{Flags, Missing, with};
use crate::failure::{Failure, say};
use crate::output::{self, Table};
use crate::words::{list, or_nothing, point};

/// What to do with service keys.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Make a key for a service, and print it this once
    Create(Create),
    /// List the keys, revoked ones too; never the keys themselves
    List(List),
    /// Refuse a key from now on
    Revoke(Revoke),
}

/// What the key is to be.
#[derive(clap::Args, Debug)]
pub(crate) struct Create {
    /// What it is for
    #[arg(long)]
    name: String,

    /// What it may do: begin, introspect, failures, step-up, feed; sessions for all five; admin
    #[arg(long, required = true, value_delimiter = ',', value_name = "SCOPE[,SCOPE]")]
    scope: Vec<String>,

    /// A role that it may grant; may be repeated
    #[arg(long, value_name = "ROLE")]
    grant_role: Vec<String>,

    #[command(flatten)]
    flags: Flags,
}

/// How to list.
#[derive(clap::Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    flags: Flags,
}

/// Which key.
#[derive(clap::Args, Debug)]
pub(crate) struct Revoke {
    /// Its id, as the list shows it
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    flags: Flags,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Create(options) => create(options),
        Command::List(options) => show(options),
        Command::Revoke(options) => revoke(options),
    }
}

fn create(options: &Create) -> Result<(), Failure> {
    let asked = ServiceKeyRequest {
        name: options.name.clone(),
        scopes: options.scope.iter().map(|scope| Scope::from(scope.trim())).collect(),
        grant_roles: options.grant_role.clone(),
    };
    with(&options.flags, Missing::Make, async |running| {
        let made: ServiceKeyCreated =
            running.send(Method::POST, paths::LOCAL_SERVICE_KEYS, &asked).await?;
        if options.flags.json {
            return output::json(&json!(made));
        }
        // The key alone on stdout, for whoever puts it into a file.
        output::line(made.key.expose())?;
        say(&format!("key {} is shown this once; keep it where secrets are kept", made.id));
        Ok(())
    })
}

fn show(options: &List) -> Result<(), Failure> {
    with(&options.flags, Missing::Refuse, async |running| {
        let listed: ServiceKeyList = running.get(paths::LOCAL_SERVICE_KEYS, &()).await?;
        if options.flags.json {
            return output::json(&json!(listed));
        }
        let mut table = Table::new(["id", "name", "scopes", "may grant", "made", "revoked"]);
        for key in listed.service_keys {
            table.row([
                key.id,
                key.name,
                list(&key.scopes),
                list(&key.grant_roles),
                point(key.created_at),
                or_nothing(key.revoked_at.map(point)),
            ]);
        }
        table.print()
    })
}

fn revoke(options: &Revoke) -> Result<(), Failure> {
    with(&options.flags, Missing::Refuse, async |running| {
        let path = paths::with(paths::LOCAL_SERVICE_KEY, &options.id);
        let done: ServiceKeyRevoked = running.delete(&path).await?;
        if options.flags.json {
            return output::json(&json!(done));
        }
        let said = if done.revoked { "is revoked" } else { "had been revoked before" };
        output::line(&format!("key {} {said}", options.id))
    })
}
