//! Sessions begin.

use handstamp_protocol::Secret;
use serde_json::json;

use crate::world::{World, send};

#[tokio::test]
async fn f03_a_session_begins_with_tokens_and_shows_what_was_told_of_it() {
    let world = World::new().await;
    let begun = world
        .begin_with(json!({
            "subject": "ada", "name": "Ada", "email": "ada@example.org", "phone": "+44 20",
            "roles": ["editor"], "amr": ["pwd", "otp"], "data": { "theme": "dark" },
            "client": { "ip_address": "192.0.2.7", "user_agent": "Mozilla/5.0 (X11; Linux x86_64; \
                rv:140.0) Gecko/20100101 Firefox/140.0" },
        }))
        .await;
    assert_eq!((begun.token_type.as_str(), begun.expires_in <= 1800), ("Bearer", true));
    assert!(begun.expires_in >= 1710, "30 minutes less up to 5 %: {}", begun.expires_in);
    let session = &begun.session;
    assert_eq!(session.subject.as_deref(), Some("ada"));
    assert_eq!(session.roles, ["editor"]);
    assert_eq!(session.amr, ["pwd", "otp"]);
    assert_eq!(session.ip_address, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(session.device_info.as_deref(), Some("Firefox on Linux"));
    assert!(session.is_active && session.is_current && !session.suspended);
    assert!(begun.refresh_token.expose().starts_with("hsr_"));
    assert_eq!(world.status(begun.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn a_session_begins_with_whole_cookies_for_the_caller_to_relay() {
    let world = World::with(&[("cookies.access_token", "true")]).await;
    let body = json!({ "subject": "ada", "transport": "cookie", "remember": true });
    let answer = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
    assert_eq!(answer.status, 201);
    assert!(
        answer.json.get("access_token").is_none() && answer.json.get("refresh_token").is_none()
    );
    let cookies: Vec<&str> = answer.json["set_cookie"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert!(cookies[0].starts_with("handstamp-dev=") && cookies[0].contains("; HttpOnly"));
    assert!(cookies[0].contains("; Max-Age=2592000"), "{}", cookies[0]);
    assert!(cookies[1].starts_with("handstamp-access=ey") && cookies[1].contains("; HttpOnly"));
    assert!(answer.headers.get("set-cookie").is_none(), "a service is no browser");
}

#[tokio::test]
async fn a_service_key_grants_only_what_it_may() {
    let world = World::new().await;
    for role in ["owner", "handstamp:admin"] {
        let body = json!({ "subject": "ada", "roles": ["editor", role] });
        let answer = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
        assert_eq!(answer.problem(), (403, "FORBIDDEN"), "{role}");
    }
}

#[tokio::test]
async fn the_same_idempotency_key_and_body_begin_one_session() {
    let world = World::new().await;
    let begin = |key: &str, subject: &str| {
        let body = json!({ "subject": subject });
        let request = world.post("/sessions").bearer_auth(&world.key).json(&body);
        send(request.header("Idempotency-Key", key))
    };
    let (first, again) = (begin("k1", "ada").await, begin("k1", "ada").await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json["session"]["id"], again.json["session"]["id"]);
    assert_eq!(first.json["refresh_token"], again.json["refresh_token"]);
    assert_eq!(begin("k1", "bob").await.problem(), (422, "BAD_REQUEST"), "another body");
    let two = world.post("/sessions").bearer_auth(&world.key).json(&json!({ "subject": "eve" }));
    let two = two.header("Idempotency-Key", "k2").header("Idempotency-Key", "k3");
    assert_eq!(send(two).await.problem(), (400, "BAD_REQUEST"), "which of them?");
    let other = begin("k2", "ada").await;
    assert_ne!(first.json["session"]["id"], other.json["session"]["id"]);
    // A session that is in use is not given to anybody again.
    let token = first.json["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh(token).await.status, 200);
    assert_eq!(begin("k1", "ada").await.problem(), (409, "CONFLICT"));
}

#[tokio::test]
async fn values_out_of_range_are_named() {
    let world = World::new().await;
    let rows = [
        (json!({ "subject": "" }), "subject"),
        (json!({ "subject": "ada", "kind": "anonymous" }), "kind"),
        (json!({ "subject": "ada", "transport": "pigeon" }), "transport"),
        (json!({ "subject": "ada", "lifetime": { "idle_seconds": 0 } }), "lifetime.idle_seconds"),
        (json!({ "subject": "ada", "name": "x".repeat(321) }), "name"),
        (json!({ "subject": "ada", "upgrade_from": "nonsense" }), "upgrade_from"),
    ];
    for (body, field) in rows {
        let answer = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
        assert_eq!(answer.problem(), (422, "BAD_REQUEST"), "{body}");
        assert_eq!(answer.json["errors"][0]["field"], field, "{body}");
    }
}

#[tokio::test]
async fn b10_at_the_limit_a_begin_is_refused_or_somebody_makes_room() {
    let deny = [("sessions.max_per_subject", "2"), ("sessions.limit_strategy", "deny")];
    let world = World::with(&deny).await;
    world.begin("ada").await;
    world.begin("ada").await;
    let body = json!({ "subject": "ada" });
    let answer = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
    assert_eq!(answer.problem(), (409, "LIMIT_REACHED"));
    let oldest = [("sessions.max_per_subject", "2"), ("sessions.limit_strategy", "end_oldest")];
    let world = World::with(&oldest).await;
    let first = world.begin("ada").await;
    world.advance(1);
    world.begin("ada").await;
    world.advance(1);
    world.begin("ada").await;
    let ended = world.refresh(first.refresh_token.expose()).await;
    assert_eq!(ended.problem(), (401, "SESSION_ENDED"));
    assert_eq!(ended.json["reason"], "limit");
}

#[tokio::test]
async fn j06_a_guest_begins_by_itself_and_becomes_a_user_with_what_it_had() {
    let world = World::with(&[("guests.enabled", "true")]).await;
    let body = json!({ "data": { "cart": ["tea"] } });
    let guest = send(world.post("/sessions/guest").json(&body)).await;
    assert_eq!(guest.status, 201, "{:?}", guest.json);
    assert_eq!(guest.json["session"]["kind"], "guest");
    let token: Secret = serde_json::from_value(guest.json["refresh_token"].clone()).unwrap();
    let user = world.begin_with(json!({ "subject": "ada", "upgrade_from": token })).await;
    let id = user.session.id.parse().unwrap();
    let record = world.sessions.record(id).await.unwrap().unwrap();
    assert_eq!(&**record.data.get("cart").unwrap(), r#"["tea"]"#);
    let over = world.refresh(token.expose()).await;
    assert_eq!((over.status, over.json["reason"].as_str()), (401, Some("replaced")));
}

#[tokio::test]
async fn guests_are_off_unless_they_are_switched_on_and_then_limited_by_address() {
    let world = World::new().await;
    assert_eq!(send(world.post("/sessions/guest")).await.problem(), (403, "FORBIDDEN"));
    let world = World::with(&[("guests.enabled", "true"), ("limits.guest", "2/60s")]).await;
    // Each service counts for itself.
    world.on_one_node();
    for status in [201, 201, 429] {
        assert_eq!(send(world.post("/sessions/guest")).await.status, status);
    }
    let refused = send(world.post("/sessions/guest")).await;
    assert_eq!(refused.code(), "RATE_LIMITED");
    assert!(!refused.header("retry-after").is_empty() && !refused.header("ratelimit").is_empty());
}

#[tokio::test]
async fn b11_a_sign_in_that_a_rule_sets_aside_hands_out_nothing_until_it_is_stepped_up() {
    let world = World::with(&[("risk.new_device", "step_up")]).await;
    let agent = |name: &str| json!({ "subject": "ada", "client": { "user_agent": name } });
    world.begin_with(agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")).await;
    let odd = world.post("/sessions").bearer_auth(&world.key).json(&agent("curl/8.1"));
    let odd = send(odd).await;
    assert_eq!(odd.problem(), (401, "SESSION_SUSPENDED"), "{:?}", odd.json);
    assert!(odd.json.get("access_token").is_none());
    let body = json!({ "session_id": odd.json["session_id"], "amr": ["otp"] });
    let answer = send(world.post("/sessions/step-up").bearer_auth(&world.key).json(&body)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    let access = answer.json["access_token"].as_str().unwrap();
    assert_eq!(world.status(access).await.json["is_active"], true);
}
