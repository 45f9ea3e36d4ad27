//! Every path of the service. A name in braces stands for one segment.

/// `POST` begins a session.
pub const SESSIONS: &str = "/sessions";
/// `POST` begins a guest session.
pub const GUEST: &str = "/sessions/guest";
/// `POST` tells of a failed sign-in.
pub const FAILURES: &str = "/sessions/failures";
/// `GET`: is the caller's session live, and for how long?
pub const STATUS: &str = "/sessions/status";
/// `GET` lists the caller's sessions.
pub const MY_SESSIONS: &str = "/sessions/my-sessions";
/// `GET` lists what happened to the caller's sessions.
pub const MY_SESSION_LOGS: &str = "/sessions/my-session-logs";
/// `POST` exchanges a refresh token.
pub const REFRESH: &str = "/sessions/refresh";
/// `POST` ends the caller's session.
pub const LOGOUT: &str = "/sessions/logout";
/// `POST` ends every session of the caller.
pub const LOGOUT_ALL: &str = "/sessions/logout-all";
/// `DELETE` ends and `PATCH` names one session of the caller.
pub const SESSION: &str = "/sessions/{id}";
/// `POST`: why is this token refused?
pub const WHY: &str = "/sessions/why";
/// `GET`: why did this session of the caller end?
pub const SESSION_WHY: &str = "/sessions/{id}/why";
/// `GET` answers a token against cross-site requests.
pub const CSRF: &str = "/sessions/csrf";
/// `GET` streams what happens to the caller's sessions.
pub const EVENTS: &str = "/sessions/events";
/// `POST` tells that a fresh factor was checked.
pub const STEP_UP: &str = "/sessions/step-up";
/// `POST`: RFC 7662.
pub const INTROSPECT: &str = "/sessions/introspect";
/// `POST`: RFC 7009.
pub const REVOKE: &str = "/sessions/revoke";
/// Any method: forward-auth.
pub const VERIFY: &str = "/sessions/verify";

/// `GET`: the dashboard.
pub const ADMIN: &str = "/admin";
/// `GET` lists sessions of everybody.
pub const ADMIN_SESSIONS: &str = "/admin/sessions";
/// `POST` ends those that a filter or a list names.
pub const ADMIN_SESSIONS_END: &str = "/admin/sessions/end";
/// `POST` sets a session aside.
pub const ADMIN_SESSION_SUSPEND: &str = "/admin/sessions/{id}/suspend";
/// `POST` takes a session back.
pub const ADMIN_SESSION_RESUME: &str = "/admin/sessions/{id}/resume";
/// `POST` takes back what a bulk end set aside.
pub const ADMIN_UNDO: &str = "/admin/undo/{id}";
/// `PUT` names the roles of a subject.
pub const ADMIN_SUBJECT_ROLES: &str = "/admin/subjects/{subject}/roles";
/// `POST` disables a subject.
pub const ADMIN_SUBJECT_DISABLE: &str = "/admin/subjects/{subject}/disable";
/// `POST` enables a subject again.
pub const ADMIN_SUBJECT_ENABLE: &str = "/admin/subjects/{subject}/enable";
/// `POST` removes the personal parts of a subject's events.
pub const ADMIN_SUBJECT_ERASE: &str = "/admin/subjects/{subject}/erase";
/// `GET` lists the audit log.
pub const ADMIN_LOGS: &str = "/admin/logs";
/// `GET` checks the chain of the audit log.
pub const ADMIN_LOGS_VERIFY: &str = "/admin/logs/verify";
/// `GET` answers one series of figures.
pub const ADMIN_ANALYTICS: &str = "/admin/analytics/{series}";
/// `GET` streams what happens.
pub const ADMIN_EVENTS: &str = "/admin/events";
/// `GET` lists and `POST` adds webhooks.
pub const ADMIN_WEBHOOKS: &str = "/admin/webhooks";
/// `PATCH` changes and `DELETE` removes a webhook.
pub const ADMIN_WEBHOOK: &str = "/admin/webhooks/{id}";
/// `POST` sends a webhook something to try it.
pub const ADMIN_WEBHOOK_TEST: &str = "/admin/webhooks/{id}/test";
/// `POST` gives a webhook another signing secret; the one before signs beside it for a day.
pub const ADMIN_WEBHOOK_SECRET: &str = "/admin/webhooks/{id}/secret";
/// `GET` lists what was sent to a webhook and what waits.
pub const ADMIN_WEBHOOK_DELIVERIES: &str = "/admin/webhooks/{id}/deliveries";
/// `POST` sends a delivery of a webhook once more.
pub const ADMIN_WEBHOOK_RETRY: &str = "/admin/webhooks/{id}/deliveries/{delivery}/retry";
/// `POST`: whom would other limits have signed out?
pub const ADMIN_POLICY_DRY_RUN: &str = "/admin/policy/dry-run";
/// `GET`: the holder's own page.
pub const ACCOUNT_SESSIONS: &str = "/account/sessions";

/// `GET` lists and `POST` makes service keys. By the local socket only.
pub const LOCAL_SERVICE_KEYS: &str = "/local/service-keys";
/// `DELETE` revokes a service key. By the local socket only.
pub const LOCAL_SERVICE_KEY: &str = "/local/service-keys/{id}";
/// `POST` answers a new link that signs an operator in. By the local socket only.
pub const LOCAL_DASHBOARD_LINK: &str = "/local/dashboard-link";
/// `GET` tells the time by the service's clock. By the local socket only.
pub const LOCAL_CLOCK: &str = "/local/clock";
/// `GET` tells what stands over a subject's sessions. By the local socket only.
pub const LOCAL_SUBJECT: &str = "/local/subjects/{subject}";
/// `GET` reads the audit log forward, to copy it. By the local socket only.
pub const LOCAL_LOGS: &str = "/local/logs";
/// `GET`: why did this session end? By the local socket only.
pub const LOCAL_SESSION_WHY: &str = "/local/sessions/{id}/why";

/// `GET` streams what verifiers must hear of.
pub const FEED_REVOCATIONS: &str = "/feed/revocations";
/// `GET` answers all that verifiers must know.
pub const FEED_SNAPSHOT: &str = "/feed/snapshot";
/// `GET` answers the keys that access tokens are checked with.
pub const JWKS: &str = "/.well-known/jwks.json";
/// `GET` describes all of this.
pub const OPENAPI: &str = "/openapi.json";
/// `GET` shows that description.
pub const DOCS: &str = "/docs";
/// `GET`: is the process alive?
pub const HEALTHZ: &str = "/healthz";
/// `GET`: does the store answer?
pub const READYZ: &str = "/readyz";
/// `GET`: figures for Prometheus.
pub const METRICS: &str = "/metrics";

/// The path with `value` in the place of its first name in braces, percent-encoded.
///
/// ```
/// use handstamp_protocol::paths;
/// assert_eq!(paths::with(paths::ADMIN_SUBJECT_ROLES, "a/b"), "/admin/subjects/a%2Fb/roles");
/// ```
pub fn with(path: &str, value: &str) -> String {
    let Some((before, rest)) = path.split_once('{') else { return path.to_owned() };
    let after = rest.split_once('}').map_or("", |(_, after)| after);
    format!("{before}{}{after}", encode(value))
}

/// Percent-encodes all but the unreserved characters of RFC 3986; a segment of dots only would
/// be taken for a way up, so its dots are encoded too.
fn encode(segment: &str) -> String {
    let is_dots = segment.bytes().all(|byte| byte == b'.');
    segment.bytes().fold(String::with_capacity(segment.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !is_dots) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_segment() {
        assert_eq!(with(SESSION, "abc-_~.1"), "/sessions/abc-_~.1");
        assert_eq!(with(SESSION, ".."), "/sessions/%2E%2E");
        assert_eq!(with(SESSION_WHY, "a/../b?c#d"), "/sessions/a%2F..%2Fb%3Fc%23d/why");
        assert_eq!(with(SESSION, "ä"), "/sessions/%C3%A4");
        assert_eq!(with(STATUS, "x"), STATUS);
    }
}
