//! What servers answer, and what that means: the session service and a token endpoint of OAuth.

use handstamp_client::storage::MemoryStorage;
use handstamp_client::testing::ManualClock;
use handstamp_client::{
    AuthBackend, AuthTokens, HandstampBackend, OauthBackend, Outcome, SessionManager, SignedOut,
};
use handstamp_protocol::sessions::Reason;
use serde_json::{Value, json};

use crate::listener::{self, Heard, Listener, reply};
use crate::world::token;

/// The service's answer to a refresh.
pub(crate) fn granted(generation: u64, seconds: u64) -> Value {
    json!({
        "session": {
            "id": "s", "kind": "user", "transport": "token", "subject": "ada", "name": "Ada",
            "email": null, "phone": null, "roles": [], "device_info": null, "user_agent": null,
            "ip_address": null, "location": null, "created_at": "2027-01-15T08:00:00.000Z",
            "authenticated_at": "2027-01-15T08:00:00.000Z",
            "last_activity": "2027-01-15T08:00:00.000Z",
            "expires_at": "2027-02-15T08:00:00.000Z", "idle_expires_at": null, "amr": [],
            "is_active": true, "is_current": true, "suspended": false, "ended": null, "label": null,
            "what_a_later_version_adds": 1
        },
        "access_token": format!("a{generation}"), "token_type": "Bearer", "expires_in": seconds,
        "refresh_token": format!("r{generation}"), "refresh_expires_in": 86_400
    })
}

fn problem(status: u16, code: &str, more: &str) -> String {
    let body = format!(
        r#"{{"status":{status},"code":"{code}","timestamp":"2027-01-15T08:00:00.000Z"{more}}}"#
    );
    reply(status, &["Content-Type: application/problem+json"], &body)
}

/// Somebody who is signed in with a server that has one answer to everything.
async fn signed_in(backend: impl AuthBackend) -> (SessionManager, ManualClock) {
    let clock = ManualClock::new();
    let manager = SessionManager::builder()
        .storage(MemoryStorage::new())
        .backend(backend)
        .clock(clock.clone())
        .build();
    let tokens = AuthTokens::new("a0").with_refresh_token("r0");
    manager.create_session(tokens, None, None).await.unwrap();
    (manager, clock)
}

async fn outcome(answer: String) -> Outcome {
    let server = Listener::start(move |_| answer.clone()).await;
    let (manager, _) = signed_in(HandstampBackend::new(&server.url).unwrap()).await;
    let outcome = manager.refresh().await;
    let is_there = manager.session().await.unwrap().is_some();
    assert_eq!(is_there, !matches!(outcome, Outcome::Rejected { .. }));
    outcome
}

#[tokio::test]
async fn a14_defect_23_only_the_services_own_word_ends_a_session() {
    let page = "<html>Please sign in to the Wi-Fi</html>";
    let whole = granted(1, 1800).to_string();
    let half = &whole[..whole.len() / 2];
    let is_cut = format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n{half}", whole.len());
    for answer in [
        reply(429, &["Retry-After: 3"], ""),
        problem(429, "RATE_LIMITED", ""),
        reply(500, &[], "oops"),
        problem(503, "STORE_UNAVAILABLE", r#","outcome":"unknown""#),
        reply(200, &["Content-Type: text/html"], page),
        reply(200, &[], ""),
        reply(200, &[], half),
        reply(200, &[], r#"{"access_token":7}"#),
        is_cut,
        "HTTP/1.1 200 x\r\nContent-Le".into(),
        "not HTTP at all".into(),
        String::new(),
        reply(302, &["Location: https://evil.test/"], ""),
        reply(401, &["Content-Type: text/html"], page),
        reply(401, &["WWW-Authenticate: Basic"], "{}"),
        reply(401, &["Content-Type: application/problem+json"], "{}"),
        problem(401, "SESSION_SUSPENDED", ""),
        problem(401, "SOMETHING_NEW", ""),
        reply(403, &[], ""),
        problem(403, "CSRF_INVALID", ""),
        reply(404, &[], ""),
        problem(400, "BAD_REQUEST", ""),
        problem(403, "SESSION_ENDED", ""),
    ] {
        let outcome = outcome(answer.clone()).await;
        assert!(matches!(outcome, Outcome::Transient { .. }), "{answer}\n{outcome:?}");
    }
}

#[tokio::test]
async fn a14_the_services_word_ends_it_with_its_reason() {
    for (code, reason) in [
        ("SESSION_ENDED", Some(Reason::Reuse)),
        ("SESSION_ENDED", Some(Reason::Other("eclipse".into()))),
        ("SESSION_EXPIRED", Some(Reason::Idle)),
        ("SESSION_INVALID", None),
        ("SESSION_NOT_FOUND", None),
    ] {
        let more = reason.as_ref().map(|reason| format!(r#","reason":"{reason}""#));
        let answer = problem(401, code, &more.unwrap_or_default());
        assert_eq!(outcome(answer).await, Outcome::Rejected { reason });
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_refusal() {
    let (manager, _) = signed_in(HandstampBackend::new("http://127.0.0.1:1").unwrap()).await;
    assert!(matches!(manager.refresh().await, Outcome::Transient { .. }));
}

#[tokio::test]
async fn the_attempt_and_the_last_use_go_along_with_a_refresh() {
    let server = Listener::start(|_| listener::json(200, &granted(1, 1800))).await;
    let (manager, _) = signed_in(HandstampBackend::new(&server.url).unwrap()).await;
    manager.mark_api_call(None).await.unwrap();
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    let Heard { method, path, body, .. } = server.heard().remove(0);
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/sessions/refresh"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["refresh_token"], "r0");
    assert_eq!(body["attempt_id"].as_str().unwrap().len(), 32);
    assert_eq!(body["last_active_at"], "2027-01-15T08:00:00.000Z");
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(manager.session().await.unwrap().unwrap().name(), Some("Ada"));
}

#[tokio::test]
async fn an_oauth_token_endpoint_renews_and_revokes() {
    let server = Listener::start(|heard| match heard.path.as_str() {
        "/token" if heard.body.contains("refresh_token=r0") => listener::json(
            200,
            &json!({ "access_token": "a1", "token_type": "bearer", "expires_in": 60,
                     "refresh_token": "r1" }),
        ),
        // This one hands out no other refresh token: the one there is stays good.
        "/token" => listener::json(200, &json!({ "access_token": "a2", "token_type": "Bearer" })),
        _ => reply(200, &[], ""),
    })
    .await;
    let backend = OauthBackend::new(&format!("{}/token", server.url), "client").unwrap();
    let backend = backend.with_revocation(&format!("{}/revoke", server.url)).unwrap();
    let (manager, _) = signed_in(backend).await;
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    assert_eq!(token(&manager).await, "a2");
    assert_eq!(manager.logout().await.unwrap(), SignedOut::Everywhere);
    let heard = server.heard();
    assert_eq!(heard[0].body, "grant_type=refresh_token&refresh_token=r0&client_id=client");
    assert_eq!(heard[2].body, "token=r1&token_type_hint=refresh_token&client_id=client");
}

#[tokio::test]
async fn only_invalid_grant_ends_a_session_of_oauth() {
    for (status, error, is_end) in [
        (400, "invalid_grant", true),
        (400, "invalid_client", false),
        (401, "invalid_client", false),
        (400, "temporarily_unavailable", false),
        (500, "invalid_grant", false),
    ] {
        let answer = listener::json(status, &json!({ "error": error }));
        let server = Listener::start(move |_| answer.clone()).await;
        let (manager, _) = signed_in(OauthBackend::new(&server.url, "client").unwrap()).await;
        let is_rejected = matches!(manager.refresh().await, Outcome::Rejected { .. });
        assert_eq!(is_rejected, is_end, "{status} {error}");
    }
}
