//! What a receiver gets to read: the line of the log, as operators see it.

use bytes::Bytes;
use handstamp_core::event::Event;
use handstamp_core::time::Timestamp;
use handstamp_protocol::Time;
use handstamp_protocol::logs::LogEntry;
use handstamp_protocol::webhooks::Delivery;

use crate::answer::{Reader, log_entry, time};

/// The name of what is sent to try a webhook.
pub(super) const TEST: &str = "webhook.test";

/// The body that tells of `event`.
///
/// # Security
/// An event never holds a token, a key or a secret, and neither does its line.
pub(super) fn of_event(event: &Event) -> Bytes {
    body(event.action.to_string(), time(event.at), log_entry(event, Reader::Operator))
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
