//! `handstamp sessions`.

mod end;
mod why;

use std::net::IpAddr;

use handstamp_protocol::admin::{AdminSessionsQuery, SessionFilter};
use handstamp_protocol::sessions::{Kind, Session, SessionList};
use handstamp_protocol::{Time, paths};
use serde_json::json;

use super::running::Running;
use super::{Flags, Missing, with};
use crate::failure::{Exit, Failure};
use crate::output::{self, Table};
use crate::words::{list as joined, moment, or_nothing, place, point, state};

/// What to do with sessions.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List sessions, newest first
    List(List),
    /// Show one session
    Show(Show),
    /// End sessions: those named, or all that the filters match
    End(end::End),
    /// Take back an end that was given time for that
    Undo(end::Undo),
    /// Say why a session ended, or when it will
    Why(why::Options),
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(options) => list(options),
        Command::Show(options) => show(options),
        Command::End(options) => end::run(options),
        Command::Undo(options) => end::undo(options),
        Command::Why(options) => why::run(options),
    }
}

/// Which sessions. All that is named must fit.
#[derive(clap::Args, Debug)]
struct Filters {
    /// Whose
    #[arg(long)]
    subject: Option<String>,

    /// Of this kind: anonymous, guest or user
    #[arg(long)]
    kind: Option<String>,

    /// Last used from this address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,

    /// On this device, in the words of the list
    #[arg(long)]
    device: Option<String>,

    /// In this country: two letters, like DE
    #[arg(long, value_name = "CODE")]
    country: Option<String>,

    /// With this role
    #[arg(long)]
    role: Option<String>,

    /// Begun since: a time like 2026-01-31T12:00:00Z, or how long ago, like 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    created_after: Option<Time>,

    /// Begun before
    #[arg(long, value_name = "TIME", value_parser = moment)]
    created_before: Option<Time>,

    /// Active since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    seen_after: Option<Time>,

    /// Not active since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    seen_before: Option<Time>,
}

impl Filters {
    fn as_wire(&self) -> SessionFilter {
        SessionFilter {
            subject: self.subject.clone(),
            kind: self.kind.as_deref().map(Kind::from),
            ip: self.ip,
            device: self.device.clone(),
            country: self.country.clone(),
            role: self.role.clone(),
            created_after: self.created_after,
            created_before: self.created_before,
            seen_after: self.seen_after,
            seen_before: self.seen_before,
            ..SessionFilter::default()
        }
    }
}

/// What to list.
#[derive(clap::Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    filters: Filters,

    /// Only live ones
    #[arg(long, conflicts_with = "ended")]
    active: bool,

    /// Only those that are over
    #[arg(long)]
    ended: bool,

    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,

    #[command(flatten)]
    flags: Flags,
}

fn list(options: &List) -> Result<(), Failure> {
    let mut filter = options.filters.as_wire();
    filter.active = (options.active || options.ended).then_some(options.active);
    with(&options.flags, Missing::Refuse, async |running| {
        let listed = read(running, filter, options.limit).await?;
        if options.flags.json {
            return output::json(&json!(listed));
        }
        table(&listed.sessions).print()
    })
}

/// Up to `limit` sessions, over as many pages as that takes.
pub(super) async fn read(
    running: &Running,
    filter: SessionFilter,
    limit: u32,
) -> Result<SessionList, Failure> {
    let mut read = SessionList { sessions: Vec::new(), next: None };
    loop {
        let rest = limit.saturating_sub(u32::try_from(read.sessions.len()).unwrap_or(u32::MAX));
        if rest == 0 {
            return Ok(read);
        }
        let query = query(&filter, rest, read.next.take());
        let page: SessionList = running.get(paths::ADMIN_SESSIONS, &query).await?;
        read.sessions.extend(page.sessions);
        read.next = page.next;
        if read.next.is_none() {
            return Ok(read);
        }
    }
}

fn query(filter: &SessionFilter, rest: u32, cursor: Option<String>) -> AdminSessionsQuery {
    let filter = filter.clone();
    AdminSessionsQuery {
        subject: filter.subject,
        id: filter.id,
        kind: filter.kind,
        active: filter.active,
        ip: filter.ip,
        device: filter.device,
        country: filter.country,
        role: filter.role,
        created_after: filter.created_after,
        created_before: filter.created_before,
        seen_after: filter.seen_after,
        seen_before: filter.seen_before,
        limit: u16::try_from(rest.min(200)).ok(),
        cursor,
    }
}

pub(super) fn table(sessions: &[Session]) -> Table<7> {
    let heads = ["session", "subject", "device", "address", "country", "last active", "state"];
    let mut table = Table::new(heads);
    for session in sessions {
        table.row([
            session.id.clone(),
            or_nothing(session.subject.as_deref()),
            or_nothing(session.device_info.as_deref()),
            or_nothing(session.ip_address),
            place(session.location.as_ref()),
            point(session.last_activity),
            state(session),
        ]);
    }
    table
}

/// Which session.
#[derive(clap::Args, Debug)]
pub(crate) struct Show {
    /// Its id
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    flags: Flags,
}

fn show(options: &Show) -> Result<(), Failure> {
    let filter = SessionFilter { id: Some(options.id.clone()), ..SessionFilter::default() };
    with(&options.flags, Missing::Refuse, async |running| {
        let found = read(running, filter, 1).await?.sessions.into_iter().next();
        let session = found.ok_or_else(|| {
            Failure::new(format!("there is no session {}", options.id)).with(Exit::NotFound)
        })?;
        if options.flags.json {
            return output::json(&json!(session));
        }
        facts(&session).print()
    })
}

fn facts(session: &Session) -> Table<2> {
    let ended = session.ended.as_ref();
    let mut table = Table::new(["what", "value"]);
    let mut row = |name: &str, value: String| table.row([name.into(), value]);
    row("session", session.id.clone());
    row("state", state(session));
    row("subject", or_nothing(session.subject.as_deref()));
    row("kind", session.kind.to_string());
    row("transport", session.transport.to_string());
    row("roles", joined(&session.roles));
    row("name", or_nothing(session.name.as_deref()));
    row("label", or_nothing(session.label.as_deref()));
    row("device", or_nothing(session.device_info.as_deref()));
    row("address", or_nothing(session.ip_address));
    row("country", place(session.location.as_ref()));
    row("signed in by", joined(&session.amr));
    row("begun", point(session.created_at));
    row("signed in", point(session.authenticated_at));
    row("last active", point(session.last_activity));
    row("expires", point(session.expires_at));
    row("expires if idle", or_nothing(session.idle_expires_at.map(point)));
    if let Some(ended) = ended {
        row("ended", point(ended.at));
        row("ended by", or_nothing(ended.by.as_deref()));
    }
    table
}
