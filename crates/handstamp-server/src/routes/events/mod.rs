//! What happens, as it happens: to holders what concerns their sessions, to operators everything.

mod admin;
mod holder;
mod places;

pub(super) use admin::admin_events;
pub(super) use holder::events;
pub(crate) use places::Places;

use std::time::Duration;

use serde::Serialize;

/// How long a stream is silent at most: proxies close what they take for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// One event as it is framed; `id` where it can be gone on from.
fn event(name: &str, id: Option<&str>, body: &impl Serialize) -> String {
    // JSON escapes line ends, and these types cannot fail to be written.
    let data = serde_json::to_string(body).unwrap_or_default();
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}
