//! Cells of tables.

use std::fmt::Display;
#[cfg(feature = "serve")]
use std::time::SystemTime;

use handstamp_protocol::Time;
#[cfg(feature = "serve")]
use handstamp_protocol::sessions::Location;
use handstamp_protocol::sessions::Session;

/// What stands in a cell that has nothing to say.
const NOTHING: &str = "-";

pub(crate) fn or_nothing(value: Option<impl Display>) -> String {
    value.map_or_else(|| NOTHING.into(), |value| value.to_string())
}

/// A list in one cell.
#[cfg(feature = "serve")]
pub(crate) fn list(values: impl IntoIterator<Item: Display>) -> String {
    let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    if values.is_empty() { NOTHING.into() } else { values.join(",") }
}

/// A point in time, to the second.
pub(crate) fn point(at: Time) -> String {
    let text = at.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(whole, _)| format!("{whole}Z"))
}

/// Where that is.
#[cfg(feature = "serve")]
pub(crate) fn place(location: Option<&Location>) -> String {
    let Some(location) = location else { return NOTHING.into() };
    or_nothing(location.country.as_deref())
}

/// Whether a session is live, and if not, why.
pub(crate) fn state(session: &Session) -> String {
    match &session.ended {
        Some(ended) => ended.reason.to_string(),
        None if session.suspended => "suspended".into(),
        None if session.is_active => "live".into(),
        None => "over".into(),
    }
}

/// So many of something.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Reads a point in time, or how long ago it was: `2026-01-31T12:00:00Z`, `2h`, `7d`.
#[cfg(feature = "serve")]
pub(crate) fn moment(text: &str) -> Result<Time, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = humantime::parse_duration(text).ok();
    let then = ago.and_then(|ago| SystemTime::now().checked_sub(ago));
    then.map(Time::from).ok_or_else(|| "say 2026-01-31T12:00:00Z, or how long ago: 2h, 7d".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "serve")]
    #[test]
    fn a_moment_is_a_time_or_an_age() {
        let time = "2026-01-31T12:00:00Z";
        assert_eq!(point(moment(time).unwrap()), time);
        let (day, hour) = (moment("1d").unwrap(), moment("1h").unwrap());
        assert!(day < hour);
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn counts_are_told_in_words() {
        assert_eq!([count(1, "session"), count(0, "session")], ["1 session", "0 sessions"]);
    }
}
