//! `handstamp sessions end` and `undo`.

use handstamp_protocol::admin::{EndAnswer, EndRequest, UndoAnswer};
use handstamp_protocol::paths;
use reqwest::Method;
use serde_json::json;

use super::Filters;
use crate::failure::{Exit, Failure};
use crate::operate::{Flags, Missing, with};
use crate::output;
use crate::words::count;

/// Which sessions, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct End {
    /// Ids of sessions; or else name filters
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    #[command(flatten)]
    filters: Filters,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Only count those that would end
    #[arg(long)]
    dry_run: bool,

    /// Set them aside first, and end them only after so many seconds unless it is taken back
    #[arg(long, value_name = "SECONDS")]
    undo_seconds: Option<u64>,

    #[command(flatten)]
    flags: Flags,
}

/// Ends them.
pub(super) fn run(options: &End) -> Result<(), Failure> {
    let filter = options.filters.as_wire();
    match (options.ids.is_empty(), filter.is_empty()) {
        (true, true) => return Err(usage("name sessions, or a filter like --subject")),
        (false, false) => return Err(usage("name sessions or a filter, not both")),
        _ => {}
    }
    let request = EndRequest {
        ids: (!options.ids.is_empty()).then(|| options.ids.clone()),
        filter: (!filter.is_empty()).then_some(filter),
        reason: options.reason.clone(),
        dry_run: options.dry_run.then_some(true),
        undo_seconds: options.undo_seconds,
    };
    with(&options.flags, Missing::Refuse, async |running| {
        let answer: EndAnswer =
            running.send(Method::POST, paths::ADMIN_SESSIONS_END, &request).await?;
        if options.flags.json {
            return output::json(&json!(answer));
        }
        output::line(&told(&answer, options))
    })
}

fn usage(line: &str) -> Failure {
    Failure::new(line).with(Exit::Usage)
}

fn told(answer: &EndAnswer, options: &End) -> String {
    let sessions = count(answer.processed, "session");
    let more = if answer.more { "; there are more: say it again" } else { "" };
    match (&answer.undo_id, options.dry_run) {
        (_, true) => format!("{sessions} would end{more}"),
        (Some(id), _) => {
            format!("{sessions} set aside; handstamp sessions undo {id} takes it back{more}")
        }
        (None, _) => format!("{sessions} ended{more}"),
    }
}

/// Which end.
#[derive(clap::Args, Debug)]
pub(crate) struct Undo {
    /// What `sessions end --undo-seconds` answered
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    flags: Flags,
}

/// Takes it back.
pub(super) fn undo(options: &Undo) -> Result<(), Failure> {
    with(&options.flags, Missing::Refuse, async |running| {
        let path = paths::with(paths::ADMIN_UNDO, &options.id);
        let answer: UndoAnswer = running.send(Method::POST, &path, &json!({})).await?;
        if options.flags.json {
            return output::json(&json!(answer));
        }
        output::line(&format!("{} back", count(answer.resumed, "session")))
    })
}
