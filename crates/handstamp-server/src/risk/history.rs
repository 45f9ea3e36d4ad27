//! What is known of a subject's earlier sign-ins.
//!
//! Their sessions tell most of it, live ones and tombstones, in one indexed read. The audit log
//! reaches back further, and is asked only when something looks new: a device, a country, or a
//! subject of whom there are no sessions any more. An account that slept for months is the one that
//! is worth taking over.

use std::collections::HashSet;
use std::sync::Arc;

use handstamp_core::event::{Action, Event};
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::record::{Client, Kind, Record};
use handstamp_core::store::{EventFilter, Page};
use handstamp_core::time::Timestamp;
use handstamp_core::{SessionError, SessionManager};

use super::{ACTOR, BeginSignal, History, Seen, source_of};
use crate::geo::Geo;

/// How many sessions are looked at, and how many sign-ins in the log.
const LOOK: usize = 100;

/// Where and when earlier sign-ins are looked for.
pub(super) struct Past<'a> {
    pub(super) sessions: &'a SessionManager,
    pub(super) geo: &'a Geo,
    /// From when on.
    pub(super) since: Timestamp,
}

impl Past<'_> {
    /// The sign-ins of `subject`, as far as the rules need them.
    pub(super) async fn of(
        &self,
        subject: &Subject,
        signal: &BeginSignal<'_>,
    ) -> Result<History, SessionError> {
        let store = self.sessions.store();
        let listed = store.by_subject(subject, true, &Page::first(LOOK)).await?.records;
        let trusted = listed.iter().filter(|record| self.is_trusted(record));
        let mut history = History(
            trusted.map(|record| seen(record.created_at, &record.client, self.geo)).collect(),
        );
        if looks_new(signal, &history) {
            let known = listed.iter().map(|record| record.id).collect();
            history.0.extend(self.logged(subject, known).await?);
        }
        Ok(history)
    }

    /// Whether a session was of somebody who proved who they are, and no rule stopped it: or
    /// trying twice would make a stranger known.
    fn is_trusted(&self, record: &Record) -> bool {
        record.kind == Kind::User && record.created_at >= self.since && !is_stopped(record)
    }

    /// Sign-ins in the audit log, without those of the sessions that are `known` already.
    async fn logged(
        &self,
        subject: &Subject,
        mut known: HashSet<SessionId>,
    ) -> Result<Vec<Seen>, SessionError> {
        let began = self.events(subject, Action::SessionStarted).await?;
        if began.iter().all(|event| event.session.is_none_or(|id| known.contains(&id))) {
            return Ok(Vec::new());
        }
        for stop in [Action::SessionEnded, Action::SessionSuspended] {
            let stops = self.events(subject, stop).await?;
            let ours = stops.iter().filter(|event| event.actor.as_deref() == Some(ACTOR));
            known.extend(ours.filter_map(|event| event.session));
        }
        let unknown =
            began.iter().filter(|event| event.session.is_some_and(|id| !known.contains(&id)));
        Ok(unknown.filter_map(|event| seen_in(event, self.geo)).collect())
    }

    async fn events(&self, subject: &Subject, action: Action) -> Result<Vec<Event>, SessionError> {
        let (subject, after) = (Some(subject.clone()), Some(self.since));
        let filter =
            EventFilter { subject, after, actions: vec![action], ..EventFilter::default() };
        Ok(self.sessions.events(&filter, &Page::first(LOOK)).await?.events)
    }
}

/// Whether a rule set the session aside, or ended it.
fn is_stopped(record: &Record) -> bool {
    let is_ours = |by: &Option<Arc<str>>| by.as_deref() == Some(ACTOR);
    record.ended.as_ref().is_some_and(|ended| is_ours(&ended.by))
        || record.suspended.as_ref().is_some_and(|suspended| is_ours(&suspended.by))
}

fn looks_new(signal: &BeginSignal<'_>, history: &History) -> bool {
    let country = signal.place.and_then(|place| place.location.country.as_deref());
    history.0.is_empty()
        || (signal.device.is_known() && !history.knows_device(signal.device))
        || country.is_some_and(|country| !history.knows_country(country))
}

/// A guest's session has no sign-in behind it, and the log tells guests by another action.
fn seen_in(event: &Event, geo: &Geo) -> Option<Seen> {
    event.personal.as_ref().map(|personal| seen(event.at, &personal.client, geo))
}

/// What a client tells of a sign-in at `at`. Its place is what the file says today: the point is
/// kept nowhere.
pub(super) fn seen(at: Timestamp, client: &Client, geo: &Geo) -> Seen {
    let place = client.ip.and_then(|ip| geo.place(ip));
    let told = client.location.as_ref().or(place.as_ref().map(|place| &place.location));
    Seen {
        at,
        device: client.device.clone(),
        fingerprint: client.fingerprint.clone(),
        source: client.ip.map(source_of),
        country: told.and_then(|location| location.country.clone()),
        point: place.and_then(|place| place.point),
    }
}
