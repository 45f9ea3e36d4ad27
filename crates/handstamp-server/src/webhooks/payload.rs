//! What a receiver gets to read: the line of the log, as operators see it.

use bytes::Bytes;
use handstamp_core::event::Event;
use handstamp_core::record;
use handstamp_core::time::Timestamp;
use handstamp_protocol::logs::LogEntry;
use handstamp_protocol::sessions::Location;
use handstamp_protocol::webhooks::Delivery;
use handstamp_protocol::{Object, Time};

use super::hook::time;

/// The name of what is sent to try a webhook.
pub(super) const TEST: &str = "webhook.test";

/// The body that tells of `event`.
///
/// # Security
/// An event never holds a token, a key or a secret, and neither does its line.
pub(super) fn of_event(event: &Event) -> Bytes {
    body(event.action.to_string(), time(event.at), entry(event))
}

/// The body that tries a webhook out.
pub(super) fn of_test(message: &str, now: Timestamp) -> Bytes {
    let line = LogEntry {
        id: message.to_owned(),
        action: TEST.to_owned(),
        session_id: None,
        ip_address: None,
        user_agent: None,
        device_info: None,
        location: None,
        success: true,
        error_message: None,
        created_at: time(now),
        subject: None,
        actor: None,
        details: None,
        owasp_name: None,
    };
    body(TEST.to_owned(), time(now), line)
}

fn body(name: String, timestamp: Time, data: LogEntry) -> Bytes {
    serde_json::to_vec(&Delivery { name, timestamp, data }).unwrap_or_default().into()
}

fn entry(event: &Event) -> LogEntry {
    let client = event.personal.as_ref().map(|personal| personal.client.clone());
    let client = client.unwrap_or_default();
    LogEntry {
        id: event.id.to_string(),
        action: event.action.to_string(),
        session_id: event.session.map(|id| id.to_string()),
        ip_address: client.ip,
        user_agent: client.user_agent.as_deref().map(str::to_owned),
        device_info: client.device.as_deref().map(str::to_owned),
        location: client.location.as_deref().map(place),
        success: event.is_success,
        error_message: event.error.as_deref().map(str::to_owned),
        created_at: time(event.at),
        subject: event.subject.as_ref().map(ToString::to_string),
        actor: event.actor.as_deref().map(str::to_owned),
        details: Some(Object(event.details.clone())),
        owasp_name: event.owasp_name().map(str::to_owned),
    }
}

fn place(place: &record::Location) -> Location {
    Location {
        country: place.country.as_deref().map(str::to_owned),
        region: place.region.as_deref().map(str::to_owned),
        city: place.city.as_deref().map(str::to_owned),
    }
}
