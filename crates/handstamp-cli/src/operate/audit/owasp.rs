//! Lines of the log in the form of the OWASP Logging Vocabulary.
//!
//! <https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html>

use handstamp_protocol::logs::LogEntry;
use serde_json::{Value as Json, json};

/// Names that the vocabulary gives the weight `CRITICAL` and `WARN`; the others have `INFO`.
const CRITICAL: [&str; 4] =
    ["authn_token_reuse", "authz_fail", "malicious_csrf", "session_use_after_expire"];
const WARN: [&str; 7] = [
    "authn_login_fail",
    "authn_login_lock",
    "authz_admin",
    "excess_rate_limit_exceeded",
    "excess_sessions_exceeded",
    "sys_startup",
    "sys_shutdown",
];

/// A line. What the vocabulary has no name for goes by its own.
pub(super) fn line(entry: &LogEntry) -> Json {
    let name = entry.owasp_name.as_deref().unwrap_or(&entry.action);
    let event = match &entry.subject {
        Some(subject) => format!("{name}:{subject}"),
        None => name.to_owned(),
    };
    json!({
        "datetime": entry.created_at,
        "appid": "handstamp",
        "event": event,
        "level": level(name),
        "description": description(entry),
        "useragent": entry.user_agent,
        "source_ip": entry.ip_address,
        "geo": entry.location.as_ref().and_then(|location| location.country.as_deref()),
        "session_id": entry.session_id,
        "id": entry.id,
    })
}

fn level(name: &str) -> &'static str {
    match name {
        critical if CRITICAL.contains(&critical) => "CRITICAL",
        warn if WARN.contains(&warn) => "WARN",
        _ => "INFO",
    }
}

fn description(entry: &LogEntry) -> String {
    let mut text = entry.action.clone();
    if let Some(actor) = &entry.actor {
        text.push_str(&format!(" by {actor}"));
    }
    if let Some(error) = &entry.error_message {
        text.push_str(&format!(": {error}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s103_a_line_has_the_name_the_weight_and_whom_it_concerns() {
        let entry: LogEntry = serde_json::from_value(json!({
            "id": "x", "action": "login", "session_id": null, "ip_address": "192.0.2.1",
            "user_agent": null, "device_info": null, "location": null, "success": false,
            "error_message": "wrong_password", "created_at": "2027-01-15T08:00:00.000Z",
            "subject": "ada", "owasp_name": "authn_login_fail",
        }))
        .unwrap();
        let told = line(&entry);
        assert_eq!(
            (&told["event"], &told["level"]),
            (&"authn_login_fail:ada".into(), &"WARN".into())
        );
        assert_eq!(told["description"], "login: wrong_password");
        let other =
            LogEntry { owasp_name: None, subject: None, action: "step_out".into(), ..entry };
        assert_eq!(
            (&line(&other)["event"], &line(&other)["level"]),
            (&"step_out".into(), &"INFO".into())
        );
    }
}
