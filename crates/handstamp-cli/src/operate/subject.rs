//! `handstamp subject`.

use handstamp_protocol::admin::SessionFilter;
use handstamp_protocol::paths;
use handstamp_protocol::subjects::{RolesRequest, SubjectAnswer, SubjectRequest};
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::sessions;
use super::{Flags, Missing, with};
use crate::failure::{Exit, Failure};
use crate::output;
use crate::words::{count, list};

/// The most sessions that are shown of one subject.
const MOST_SHOWN: u32 = 50;

/// What to do with the owner of sessions.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Show what stands over its sessions, and the live ones
    Show(Which),
    /// Name all that its sessions may do; it bites at the next check
    Roles(Roles),
    /// End its sessions and refuse new ones
    Disable(Act),
    /// Let it sign in again
    Enable(Act),
    /// Remove its personal parts from the audit log; that cannot be taken back
    Erase(Erase),
}

/// Whose.
#[derive(clap::Args, Debug)]
pub(crate) struct Which {
    /// The application's id of the user
    #[arg(value_name = "SUBJECT")]
    subject: String,

    #[command(flatten)]
    flags: Flags,
}

/// Which roles.
#[derive(clap::Args, Debug)]
pub(crate) struct Roles {
    #[command(flatten)]
    which: Which,

    /// All that its sessions may do
    #[arg(value_name = "ROLE", required_unless_present_any = ["none", "as_granted"])]
    roles: Vec<String>,

    /// Nothing at all
    #[arg(long, conflicts_with = "roles")]
    none: bool,

    /// What each session was granted
    #[arg(long, conflicts_with_all = ["roles", "none"])]
    as_granted: bool,
}

/// Whose, and why.
#[derive(clap::Args, Debug)]
pub(crate) struct Act {
    #[command(flatten)]
    which: Which,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Whose, and whether that is meant.
#[derive(clap::Args, Debug)]
pub(crate) struct Erase {
    #[command(flatten)]
    act: Act,

    /// It is meant
    #[arg(long)]
    yes: bool,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Show(which) => show(which),
        Command::Roles(options) => roles(options),
        Command::Disable(options) => act(options, paths::ADMIN_SUBJECT_DISABLE),
        Command::Enable(options) => act(options, paths::ADMIN_SUBJECT_ENABLE),
        Command::Erase(options) if options.yes => act(&options.act, paths::ADMIN_SUBJECT_ERASE),
        Command::Erase(_) => {
            let line = "what is erased does not come back; say --yes if that is meant";
            Err(Failure::new(line).with(Exit::Usage))
        }
    }
}

fn show(which: &Which) -> Result<(), Failure> {
    let filter = SessionFilter {
        subject: Some(which.subject.clone()),
        active: Some(true),
        ..SessionFilter::default()
    };
    with(&which.flags, Missing::Refuse, async |running| {
        let path = paths::with(paths::LOCAL_SUBJECT, &which.subject);
        let head: SubjectAnswer = running.get(&path, &()).await?;
        let listed = sessions::read(running, filter, MOST_SHOWN).await?;
        if which.flags.json {
            return output::json(&json!({
                "subject": head.subject,
                "is_disabled": head.is_disabled,
                "roles": head.roles,
                "sessions": listed.sessions,
                "next": listed.next,
            }));
        }
        output::line(&told(&head))?;
        sessions::table(&listed.sessions).print()
    })
}

fn roles(options: &Roles) -> Result<(), Failure> {
    // With `--none` the list is empty.
    let roles = (!options.as_granted).then(|| options.roles.clone());
    change(&options.which, Method::PUT, paths::ADMIN_SUBJECT_ROLES, &RolesRequest { roles })
}

fn act(options: &Act, path: &str) -> Result<(), Failure> {
    change(&options.which, Method::POST, path, &SubjectRequest { reason: options.reason.clone() })
}

fn change(
    which: &Which,
    method: Method,
    path: &str,
    body: &(impl Serialize + Sync),
) -> Result<(), Failure> {
    with(&which.flags, Missing::Refuse, async |running| {
        let path = paths::with(path, &which.subject);
        let answer: SubjectAnswer = running.send(method, &path, body).await?;
        if which.flags.json {
            return output::json(&json!(answer));
        }
        output::line(&told(&answer))
    })
}

fn told(answer: &SubjectAnswer) -> String {
    let mut said = vec![if answer.is_disabled { "disabled" } else { "enabled" }.to_owned()];
    said.push(match &answer.roles {
        Some(roles) => format!("roles narrowed to {}", list(roles)),
        None => "roles as granted".into(),
    });
    said.extend(answer.ended.map(|ended| format!("{} ended", count(ended, "session"))));
    said.extend(answer.erased.map(|lines| format!("{} of the log erased", count(lines, "line"))));
    format!("{}: {}", answer.subject, said.join("; "))
}
