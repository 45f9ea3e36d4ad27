//! The revocation feed: what verifiers must hear of, and how it is framed.
//!
//! `GET /feed/revocations?after=CURSOR` answers server-sent events, of two names:
//!
//! - `lines`: what changed. Each `data:` line of the event is one [`FeedLine`]; its `id` is the
//!   [`Cursor`] after all of them.
//! - `heartbeat`, each second: "every line up to this cursor has been sent before me". Its body
//!   is a [`Heartbeat`].
//!
//! A verifier trusts what it knows only while its lease is fresh, and only a heartbeat renews the
//! lease. How old a heartbeat is cannot be told from when it arrives: it may have waited in
//! buffers while the verifier slept. So it carries `at_ms`, how long after the service took up
//! *this request* it began to read the cursor. The verifier knows when it sent the request, which
//! was earlier; the sum of both is a moment at which, at the latest as counted, the news was
//! fresh. No clock needs to agree with another.
//!
//! A cursor that the log no longer reaches is answered with 410; then `GET /feed/snapshot` tells
//! all that still matters, as [`Snapshot`], and the stream goes on from its cursor.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::names;
use crate::status::True;

/// One statement of the feed. Each is monotone: applying one twice, or late, harms nobody.
///
/// A line of a sort that this version does not know is passed over; so a service that invents
/// one says what it must in a known one too.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum FeedLine {
    /// `{"session": id, "ended": true}`: no token of the session is good.
    SessionEnded {
        /// Which.
        session: String,
        /// Always `true`.
        ended: True,
    },
    /// `{"session": id, "min_generation": n}`: only tokens of that generation or a later one are.
    /// Setting a session aside and changing its roles are told in this way as well: the number is
    /// one above the current generation, so every holder must refresh.
    SessionGeneration {
        /// Which.
        session: String,
        /// The first generation that is good.
        min_generation: u32,
    },
    /// `{"subject": s, "min_epoch": n}`: only sessions of that epoch or a later one are.
    SubjectEpoch {
        /// Whose.
        subject: String,
        /// The first epoch that is good.
        min_epoch: u64,
    },
    /// `{"deployment": true, "min_epoch": n}`: the same for everybody.
    DeploymentEpoch {
        /// Always `true`.
        deployment: True,
        /// The first epoch that is good.
        min_epoch: u64,
    },
    /// A sort that this version does not know.
    Other(Value),
}

impl FeedLine {
    /// No token of `session` is good.
    pub fn ended(session: impl Into<String>) -> Self {
        Self::SessionEnded { session: session.into(), ended: True }
    }

    /// Only tokens of `session` from `min_generation` on are good.
    pub fn generation(session: impl Into<String>, min_generation: u32) -> Self {
        Self::SessionGeneration { session: session.into(), min_generation }
    }

    /// Only sessions of `subject` from `min_epoch` on are good.
    pub fn subject(subject: impl Into<String>, min_epoch: u64) -> Self {
        Self::SubjectEpoch { subject: subject.into(), min_epoch }
    }

    /// Only sessions from `min_epoch` of the deployment on are good.
    pub const fn deployment(min_epoch: u64) -> Self {
        Self::DeploymentEpoch { deployment: True, min_epoch }
    }
}

/// How far somebody has read: for each log, the number of the last commit.
///
/// Text of letters, digits, `-` and `.`, opaque to everybody but the service and its verifiers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transparent))]
pub struct Cursor(String);

impl Cursor {
    /// How long a cursor may be, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// The cursor of these positions: a log, and the number of the last commit of it.
    pub fn of(positions: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let text = |(log, number)| format!("{log:x}-{number}");
        Self(positions.into_iter().map(text).collect::<Vec<_>>().join("."))
    }

    /// The cursor that this text is; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let cursor = Self(text.to_owned());
        (text.len() <= Self::MAX_LEN && cursor.positions().is_some()).then_some(cursor)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The log and the number of each position; `None` if it is no cursor of this version.
    pub fn positions(&self) -> Option<Vec<(u64, u64)>> {
        self.0.split('.').map(position).collect()
    }

    /// Whether whoever has read up to here has read all that `other` has. A log that is not named
    /// here has not been read.
    pub fn covers(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (self.positions(), other.positions()) else {
            return self == other;
        };
        let is_read =
            |(log, number): &(u64, u64)| own.iter().any(|(own, read)| own == log && read >= number);
        others.iter().all(is_read)
    }
}

fn position(text: &str) -> Option<(u64, u64)> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (log, number) =
        text.split_once('-').filter(|(log, number)| is_plain(log) && is_plain(number))?;
    Some((u64::from_str_radix(log, 16).ok()?, number.parse().ok()?))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The body of a heartbeat.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heartbeat {
    /// How long after the service took up the request it began to read the cursor, in
    /// milliseconds of a clock that counts suspend.
    pub at_ms: u64,
}

/// `GET /feed/revocations`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeedQuery {
    /// From where on; without it, from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// `GET /feed/snapshot`: all that still matters. What happened longer ago than an access token
/// can live is left out, because no token is left that it could concern.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// From where the stream goes on.
    pub cursor: Cursor,
    /// The longest that an access token can live, in seconds.
    pub longest_token_seconds: u64,
    /// What verifiers must know.
    pub lines: Vec<FeedLine>,
}

names! {
    /// The names of the feed's events.
    FeedEventName {
        /// What changed.
        Lines = "lines",
        /// The lease may be renewed.
        Heartbeat = "heartbeat",
    }
}

/// The event that tells `lines`, after which the reader is at `cursor`. Readers give up on an
/// event of more than 4 MiB; the parts of one that was split carry the cursor before it, but for
/// the last.
pub fn lines_event(cursor: &Cursor, lines: &[FeedLine]) -> String {
    let data = lines.iter().map(|line| format!("data: {}\n", json(line))).collect::<String>();
    // Without a data line an event is none, and its cursor is not heard.
    let data = if data.is_empty() { "data:\n" } else { &*data };
    format!("event: {}\nid: {cursor}\n{data}\n", FeedEventName::Lines)
}

/// The event that tells that every line up to `cursor` has been sent, as found by a read that
/// began `at_ms` milliseconds after the request was taken up.
pub fn heartbeat_event(cursor: &Cursor, at_ms: u64) -> String {
    let data = json(&Heartbeat { at_ms });
    format!("event: {}\nid: {cursor}\ndata: {data}\n\n", FeedEventName::Heartbeat)
}

/// JSON escapes line ends, so a body is one line. These types cannot fail to be written.
fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> FeedLine {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_sort_of_line_reads_as_what_it_is() {
        assert_eq!(line(r#"{"session":"s","ended":true}"#), FeedLine::ended("s"));
        assert_eq!(line(r#"{"session":"s","min_generation":3}"#), FeedLine::generation("s", 3));
        assert_eq!(line(r#"{"subject":"u","min_epoch":2}"#), FeedLine::subject("u", 2));
        assert_eq!(line(r#"{"deployment":true,"min_epoch":9}"#), FeedLine::deployment(9));
    }

    #[test]
    fn fields_added_to_a_known_line_are_ignored_and_the_stricter_reading_wins() {
        let both = line(r#"{"session":"s","min_generation":3,"ended":true,"why":"x"}"#);
        assert_eq!(both, FeedLine::ended("s"));
    }

    #[test]
    fn a_line_of_a_later_version_is_kept_as_it_is() {
        let text = r#"{"key":"k","retired":true}"#;
        assert!(matches!(line(text), FeedLine::Other(_)));
        assert_eq!(serde_json::to_string(&line(text)).unwrap(), text);
    }

    #[test]
    fn a_cursor_covers_what_lies_before_it_in_every_log() {
        let here = Cursor::of([(0x1f, 7), (2, 3)]);
        assert_eq!(here.as_str(), "1f-7.2-3");
        assert_eq!(Cursor::parse("1f-7.2-3"), Some(here.clone()));
        assert!(here.covers(&here));
        assert!(here.covers(&Cursor::of([(0x1f, 6)])));
        assert!(!here.covers(&Cursor::of([(0x1f, 8)])));
        assert!(!here.covers(&Cursor::of([(2, 3), (3, 1)])));
        assert!(!Cursor::of([(2, 3)]).covers(&here));
    }

    #[test]
    fn what_is_no_cursor_is_not_parsed_and_covers_only_itself() {
        for bad in ["", "1", "-", "1-", "g-1", "1-1.", "1--1", "+1-1", "1-+1", "1-1\n"] {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Cursor::parse(&"1-1.".repeat(500)), None);
        let other: Cursor = serde_json::from_str("\"later?\"").unwrap();
        assert!(other.covers(&other));
        assert!(!other.covers(&Cursor::of([(1, 1)])));
        assert!(!Cursor::of([(1, 1)]).covers(&other));
    }

    #[test]
    fn events_are_framed_as_the_event_stream_format_asks() {
        let cursor = Cursor::of([(1, 42)]);
        let lines = [FeedLine::ended("a\nb"), FeedLine::deployment(2)];
        assert_eq!(
            lines_event(&cursor, &lines),
            "event: lines\nid: 1-42\ndata: {\"session\":\"a\\nb\",\"ended\":true}\n\
             data: {\"deployment\":true,\"min_epoch\":2}\n\n"
        );
        assert_eq!(lines_event(&cursor, &[]), "event: lines\nid: 1-42\ndata:\n\n");
        assert_eq!(
            heartbeat_event(&cursor, 1003),
            "event: heartbeat\nid: 1-42\ndata: {\"at_ms\":1003}\n\n"
        );
    }
}
