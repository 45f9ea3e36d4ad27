//! Sessions, tokens and events as the wire shows them. The one place where the engine's types
//! become the wire's.

use std::sync::Arc;

use handstamp_core::Listed;
use handstamp_core::data::JsonText;
use handstamp_core::event::{Action, Event};
use handstamp_core::policy::{Standing, first_to_expire};
use handstamp_core::record::{self, EndReason, Record};
use handstamp_core::roles::Roles;
use handstamp_core::time::Timestamp;
use handstamp_protocol::Time;
use handstamp_protocol::logs::LogEntry;
use handstamp_protocol::sessions::{Ended, Kind, Location, Reason, Session, Transport};
use handstamp_protocol::status::FirstToExpire;

/// A point in time of the engine, as the wire tells it.
pub(crate) fn time(at: Timestamp) -> Time {
    Time::from_millis(at.as_millis())
}

/// A point in time of the wire, as the engine takes it.
pub(crate) fn timestamp(at: Time) -> Timestamp {
    Timestamp::from_millis(at.as_millis())
}

/// What is to be shown of a session.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) record: &'a Record,
    pub(crate) roles: &'a Roles,
    pub(crate) standing: &'a Standing,
    /// The last activity, which may be later than what the record says.
    pub(crate) last_seen: Timestamp,
    pub(crate) is_current: bool,
}

impl<'a> Shown<'a> {
    /// A session of a list.
    pub(crate) const fn listed(one: &'a Listed, is_current: bool) -> Self {
        Self {
            record: &one.record,
            roles: &one.roles,
            standing: &one.standing,
            last_seen: one.record.last_seen,
            is_current,
        }
    }
}

/// A session, as its holder and operators see it: with texts of its own, or with borrowed ones.
pub(crate) fn session<'a, T: From<&'a str>>(shown: Shown<'a>) -> Session<T> {
    let Shown { record, roles, standing, last_seen, is_current } = shown;
    let Record { profile, client, .. } = record;
    Session {
        id: record.id.to_text(),
        kind: kind(record.kind),
        transport: transport(record.transport),
        subject: record.subject.as_ref().map(|subject| subject.as_str().into()),
        name: text(&profile.name),
        email: text(&profile.email),
        phone: text(&profile.phone),
        roles: roles.iter().map(T::from).collect(),
        device_info: text(&client.device),
        user_agent: text(&client.user_agent),
        ip_address: client.ip,
        location: client.location.as_deref().map(location),
        created_at: time(record.created_at),
        authenticated_at: time(record.authenticated_at),
        last_activity: time(last_seen),
        expires_at: time(record.absolute_expiry),
        idle_expires_at: record.idle_lifetime.map(|idle| time(last_seen.plus(idle))),
        amr: record.amr.iter().map(|method| T::from(&**method)).collect(),
        is_active: *standing == Standing::Live,
        is_current,
        suspended: *standing == Standing::Suspended,
        ended: ended(standing),
        label: text(&record.label),
    }
}

fn text<'a, T: From<&'a str>>(text: &'a Option<Arc<str>>) -> Option<T> {
    text.as_deref().map(T::from)
}

fn ended(standing: &Standing) -> Option<Ended> {
    let Standing::Over { ended, .. } = standing else { return None };
    let by = ended.by.as_deref().map(str::to_owned);
    Some(Ended { at: time(ended.at), reason: reason(ended.reason), by })
}

pub(crate) fn reason(reason: EndReason) -> Reason {
    Reason::from(reason.as_str())
}

pub(crate) fn kind(kind: record::Kind) -> Kind {
    Kind::from(kind.as_str())
}

fn transport(transport: record::Transport) -> Transport {
    Transport::from(transport.as_str())
}

pub(crate) fn location<'a, T: From<&'a str>>(place: &'a record::Location) -> Location<T> {
    Location { country: text(&place.country), region: text(&place.region), city: text(&place.city) }
}

/// Which limit of a live session is met first, and when.
pub(crate) fn next_limit(record: &Record, last_seen: Timestamp) -> (Timestamp, FirstToExpire) {
    match first_to_expire(record, last_seen) {
        (at, EndReason::Idle) => (at, FirstToExpire::Idle),
        (at, _) => (at, FirstToExpire::Absolute),
    }
}

/// For whom a line of the log is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Whom it concerns.
    Holder,
    /// Whoever operates the service.
    Operator,
}

/// A line of the audit log.
pub(crate) fn log_entry(event: &Event, reader: Reader) -> LogEntry {
    let client = event.personal.as_ref().map(|personal| &personal.client);
    let text = |text: Option<&Arc<str>>| text.map(|text| text.to_string());
    let is_operator = reader == Reader::Operator;
    LogEntry {
        id: event.id.to_string(),
        action: log_action(event).to_owned(),
        session_id: event.session.map(|id| id.to_string()),
        ip_address: client.and_then(|client| client.ip),
        user_agent: text(client.and_then(|client| client.user_agent.as_ref())),
        device_info: text(client.and_then(|client| client.device.as_ref())),
        location: client.and_then(|client| client.location.as_deref()).map(location),
        success: event.is_success,
        error_message: text(event.error.as_ref()),
        created_at: time(event.at),
        subject: event.subject.as_ref().filter(|_| is_operator).map(ToString::to_string),
        actor: text(event.actor.as_ref().filter(|_| is_operator)),
        owasp_name: event.owasp_name().filter(|_| is_operator).map(str::to_owned),
        details: is_operator.then(|| handstamp_protocol::Object(event.details.clone())),
    }
}

/// The words of the documented log for what happened; what has none there keeps its own name.
pub(crate) fn log_action(event: &Event) -> String {
    let reason = event.details.get("reason").and_then(|reason| reason.as_str());
    match (&event.action, reason) {
        (Action::SessionStarted | Action::GuestUpgraded | Action::SignInFailed, _) => "login",
        (Action::SessionEnded, Some("idle" | "absolute")) => "session_expired",
        (Action::SessionEnded, _) => "logout",
        (Action::SessionRefreshed, _) => "token_refresh",
        (action, _) => return action.to_string(),
    }
    .to_owned()
}

/// An object that the application gave, as the engine keeps it.
pub(crate) fn json_text(object: &handstamp_protocol::Object) -> JsonText {
    serde_json::to_string(object).unwrap_or_default().into()
}
