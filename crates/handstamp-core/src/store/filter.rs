//! Which records and events to list, and how much at a time.

use std::net::IpAddr;
use std::sync::Arc;

use crate::event::{Action, Event};
use crate::id::{SessionId, Subject};
use crate::record::{EndReason, Kind, Record};
use crate::time::Timestamp;

/// How much of a list, and from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// At most so many; 1 to 1,000, what lies outside is clamped.
    pub limit: usize,
    /// The `next` of the page before; `None` for the first.
    pub after: Option<String>,
}

impl Page {
    /// The first page, of at most `limit`.
    pub const fn first(limit: usize) -> Self {
        Self { limit, after: None }
    }

    /// The limit, between 1 and 1,000.
    pub fn clamped(&self) -> usize {
        self.limit.clamp(1, 1000)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(50)
    }
}

/// Which records to list; everything named must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Of this subject.
    pub subject: Option<Subject>,
    /// With this id.
    pub id: Option<SessionId>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Live records (`true`), tombstones (`false`), or both.
    pub is_live: Option<bool>,
    /// Last used from this address.
    pub ip: Option<IpAddr>,
    /// On this device, by its words.
    pub device: Option<Arc<str>>,
    /// In this country (ISO 3166-1 alpha-2).
    pub country: Option<Arc<str>>,
    /// Granted this role.
    pub role: Option<Arc<str>>,
    /// Begun at or after.
    pub created_after: Option<Timestamp>,
    /// Begun before.
    pub created_before: Option<Timestamp>,
    /// Last seen at or after.
    pub seen_after: Option<Timestamp>,
    /// Last seen before.
    pub seen_before: Option<Timestamp>,
}

impl Filter {
    /// Whether `record` is one of those asked for.
    pub fn accepts(&self, record: &Record) -> bool {
        let same = |wanted: &Option<Arc<str>>, is: Option<&Arc<str>>| {
            wanted.as_ref().is_none_or(|wanted| is == Some(wanted))
        };
        let country = record.client.location.as_ref().and_then(|place| place.country.as_ref());
        self.subject.as_ref().is_none_or(|wanted| record.subject.as_ref() == Some(wanted))
            && self.id.is_none_or(|wanted| record.id == wanted)
            && self.kind.is_none_or(|wanted| record.kind == wanted)
            && self.is_live.is_none_or(|wanted| wanted != record.is_tombstone())
            && self.ip.is_none_or(|wanted| record.client.ip == Some(wanted))
            && same(&self.device, record.client.device.as_ref())
            && same(&self.country, country)
            && self.role.as_ref().is_none_or(|wanted| record.roles.has(wanted))
            && self.created_after.is_none_or(|from| record.created_at >= from)
            && self.created_before.is_none_or(|to| record.created_at < to)
            && self.seen_after.is_none_or(|from| record.last_seen >= from)
            && self.seen_before.is_none_or(|to| record.last_seen < to)
    }
}

/// Which events to list; everything named must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventFilter {
    /// Of this subject.
    pub subject: Option<Subject>,
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of one of these actions; of any, if none is named.
    pub actions: Vec<Action>,
    /// That tell of the end of a session for one of these reasons; of anything, if none is named.
    pub reasons: Vec<EndReason>,
    /// From this address.
    pub ip: Option<IpAddr>,
    /// That came about, or did not.
    pub is_success: Option<bool>,
    /// At or after.
    pub after: Option<Timestamp>,
    /// Before.
    pub before: Option<Timestamp>,
}

impl EventFilter {
    /// Whether `event` is one of those asked for.
    pub fn accepts(&self, event: &Event) -> bool {
        let ip = event.personal.as_ref().and_then(|personal| personal.client.ip);
        self.subject.as_ref().is_none_or(|wanted| event.subject.as_ref() == Some(wanted))
            && self.session.is_none_or(|wanted| event.session == Some(wanted))
            && (self.actions.is_empty() || self.actions.contains(&event.action))
            && (self.reasons.is_empty() || self.is_ended_so(event))
            && self.ip.is_none_or(|wanted| ip == Some(wanted))
            && self.is_success.is_none_or(|wanted| event.is_success == wanted)
            && self.after.is_none_or(|from| event.at >= from)
            && self.before.is_none_or(|to| event.at < to)
    }

    fn is_ended_so(&self, event: &Event) -> bool {
        let reason = event.details.get("reason").and_then(|reason| reason.as_str());
        event.action == Action::SessionEnded
            && self.reasons.iter().any(|wanted| Some(wanted.as_str()) == reason)
    }
}

/// A page of records.
#[derive(Clone, PartialEq, Debug)]
pub struct RecordPage {
    /// The records, newest first.
    pub records: Vec<Record>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// A page of events.
#[derive(Clone, PartialEq, Debug)]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<Event>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}
