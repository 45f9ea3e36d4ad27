//! `handstamp audit`.

mod owasp;
mod place;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use handstamp_protocol::logs::{
    LogEntry, LogList, LogPiece, LogsQuery, LogsVerified, VerifyLogsQuery,
};
use handstamp_protocol::{Time, paths};
use serde_json::json;

use super::running::Running;
use super::{Flags, Missing, with};
use crate::failure::Failure;
use crate::output;
use crate::words::{count, moment, or_nothing, point};
use place::{Place, newest_checkpoint};

/// How often a log that is followed is read.
const EVERY: Duration = Duration::from_secs(1);

/// The longest page.
const PAGE: u16 = 200;

/// What to do with the audit log.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Show the last lines, and with -f those that come
    Tail(Tail),
    /// Write the log as JSON, one object a line, oldest first
    Export(Export),
    /// Check that no line was changed, taken out or put in
    Verify(Verify),
}

/// Which lines. All that is named must fit.
#[derive(clap::Args, Debug)]
struct Filters {
    /// Whom they concern
    #[arg(long)]
    subject: Option<String>,

    /// Which session they concern
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// What happened: login, logout, token_refresh, session_expired and so on
    #[arg(long)]
    action: Option<String>,

    /// From this address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,

    /// Since: a time like 2026-01-31T12:00:00Z, or how long ago, like 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    after: Option<Time>,

    /// Before
    #[arg(long, value_name = "TIME", value_parser = moment)]
    before: Option<Time>,

    /// Only what did not come about
    #[arg(long)]
    failed: bool,
}

impl Filters {
    fn query(&self, limit: u16) -> LogsQuery {
        LogsQuery {
            subject: self.subject.clone(),
            session: self.session.clone(),
            action: self.action.clone(),
            ip: self.ip,
            success: self.failed.then_some(false),
            after: self.after,
            before: self.before,
            limit: Some(limit),
            cursor: None,
        }
    }
}

/// Which lines, and how many.
#[derive(clap::Args, Debug)]
pub(crate) struct Tail {
    #[command(flatten)]
    filters: Filters,

    /// How many, 200 at most
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    lines: u16,

    /// Go on with lines as they come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Which lines.
#[derive(clap::Args, Debug)]
pub(crate) struct Export {
    #[command(flatten)]
    filters: Filters,

    /// Keep in this file how far the log was written, and go on from there the next time
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,

    /// Write lines in the form and by the names of the OWASP Logging Vocabulary
    #[arg(long)]
    owasp: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Of which service, and against what.
#[derive(clap::Args, Debug)]
pub(crate) struct Verify {
    /// Also hold the log against the newest checkpoint in this file, a copy that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    #[command(flatten)]
    flags: Flags,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Tail(options) => tail(options),
        Command::Export(options) => export(options),
        Command::Verify(options) => verify(options),
    }
}

fn tail(options: &Tail) -> Result<(), Failure> {
    with(&options.flags, Missing::Refuse, async |running| {
        let query = options.filters.query(options.lines);
        let mut last: Vec<LogEntry> = page(running, &query).await?.logs;
        last.reverse();
        print(&last, options.flags.json)?;
        // Nothing comes where this process holds the store.
        while options.follow && running.is_elsewhere() {
            tokio::time::sleep(EVERY).await;
            let news = newer(running, &options.filters, last.last()).await?;
            print(&news, options.flags.json)?;
            last = if news.is_empty() { last } else { news };
        }
        Ok(())
    })
}

/// What came after `last`, oldest first.
async fn newer(
    running: &Running,
    filters: &Filters,
    last: Option<&LogEntry>,
) -> Result<Vec<LogEntry>, Failure> {
    let mut query = filters.query(PAGE);
    query.after = last.map(|last| last.created_at).or(query.after);
    let mut news = Vec::new();
    loop {
        let LogList { logs, next } = page(running, &query).await?;
        let count = logs.len();
        let fresh = logs.into_iter().take_while(|line| last.is_none_or(|last| line.id != last.id));
        news.extend(fresh);
        // A page that is not new to its end meets what was printed.
        if news.len() < count || next.is_none() {
            break;
        }
        query.cursor = next;
    }
    news.reverse();
    Ok(news)
}

async fn page(running: &Running, query: &LogsQuery) -> Result<LogList, Failure> {
    running.get(paths::ADMIN_LOGS, query).await
}

fn print(lines: &[LogEntry], as_json: bool) -> Result<(), Failure> {
    let shown = lines.iter().map(|line| if as_json { json!(line).to_string() } else { told(line) });
    let text: String = shown.map(|line| line + "\n").collect();
    output::print(text.as_bytes())
}

/// A line of the log for people.
fn told(line: &LogEntry) -> String {
    let mut text = format!(
        "{}  {:<18}  {:<16}  {:<15}  {}",
        point(line.created_at),
        line.action,
        or_nothing(line.subject.as_deref()),
        or_nothing(line.ip_address),
        or_nothing(line.device_info.as_deref()),
    );
    if !line.success {
        text.push_str("  failed");
    }
    if let Some(error) = &line.error_message {
        text.push_str(&format!(": {error}"));
    }
    text
}

fn export(options: &Export) -> Result<(), Failure> {
    with(&options.flags, Missing::Refuse, async |running| {
        let place = options.resume.as_deref().map(Place::of);
        let mut query = options.filters.query(PAGE);
        query.cursor = place.as_ref().map(Place::read).transpose()?;
        loop {
            let piece: LogPiece = running.get(paths::LOCAL_LOGS, &query).await?;
            let shown = piece.logs.iter().map(|line| match options.owasp {
                true => owasp::line(line).to_string(),
                false => json!(line).to_string(),
            });
            let text: String = shown.map(|line| line + "\n").collect();
            match &place {
                None => output::print(text.as_bytes())?,
                // Only what was taken counts as written.
                Some(place) => {
                    output::print_all(text.as_bytes())?;
                    place.write(&piece.next)?;
                }
            }
            if !piece.has_more {
                return Ok(());
            }
            query.cursor = Some(piece.next);
        }
    })
}

fn verify(options: &Verify) -> Result<(), Failure> {
    with(&options.flags, Missing::Refuse, async |running| {
        let checkpoint = options.checkpoint.as_deref().map(newest_checkpoint).transpose()?;
        let query = VerifyLogsQuery { checkpoint };
        let answer: LogsVerified = running.get(paths::ADMIN_LOGS_VERIFY, &query).await?;
        let lines = count(answer.checked, "line");
        if options.flags.json {
            output::json(&json!(answer))?;
        } else if answer.ok {
            let reaches = answer
                .checkpoint_at
                .map(|at| format!(" and reaches to the checkpoint of {}", point(at)));
            let reaches = reaches.unwrap_or_default();
            output::line(&format!("{lines} checked; the chain is whole{reaches}"))?;
        }
        if answer.ok {
            return Ok(());
        }
        let place = or_nothing(answer.first_bad);
        Err(Failure::new(format!("the log was changed: {lines} fit; {place}")))
    })
}
