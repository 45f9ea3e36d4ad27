//! What a session may hold at most, and what becomes of what is larger.

use handstamp_core::{SessionError, SignIn};
use handstamp_server::Scope;
use serde_json::{Value, json};

use crate::world::{Answer, World, send};

async fn begin(world: &World, body: Value) -> Answer {
    send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("m{number}")).collect()
}

#[tokio::test]
async fn s98_a_session_names_16_methods_of_sign_in_of_64_characters_and_no_more() {
    let world = World::new().await;
    for amr in [names(17), vec!["x".repeat(65)], vec![String::new()]] {
        let answer = begin(&world, json!({ "subject": "ada", "amr": amr })).await;
        assert_eq!(answer.problem(), (422, "BAD_REQUEST"), "{amr:?}");
        assert_eq!(answer.json["errors"][0]["field"], "amr");
        let refused = world.sessions.begin(SignIn::new("ada").unwrap().amr(amr)).await;
        assert!(matches!(refused, Err(SessionError::Refused(_))), "{refused:?}");
    }
    let most = vec!["\u{e9}".repeat(64); 16];
    assert_eq!(begin(&world, json!({ "subject": "ada", "amr": most })).await.status, 201);
}

#[tokio::test]
async fn s98_step_ups_add_no_methods_for_ever() {
    let world = World::new().await;
    let begun = begin(&world, json!({ "subject": "ada", "amr": names(10) })).await;
    let id = begun.json["session"]["id"].as_str().unwrap().to_owned();
    let step_up = |amr: Vec<String>| {
        let body = json!({ "session_id": id, "amr": amr });
        send(world.post("/sessions/step-up").bearer_auth(&world.key).json(&body))
    };
    let answer = step_up(names(16)).await;
    assert_eq!(answer.json["session"]["amr"].as_array().unwrap().len(), 16);
    assert_eq!(step_up(names(3)).await.status, 200, "of those that it has, any");
    for amr in [names(17), vec!["another".to_owned()]] {
        let answer = step_up(amr).await;
        assert_eq!(answer.problem(), (422, "BAD_REQUEST"));
        assert_eq!(answer.json["errors"][0]["field"], "amr");
    }
    let record = world.sessions.record(id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(record.amr.len(), 16);
}

#[tokio::test]
async fn s98_claims_count_in_the_size_of_a_session() {
    let world = World::with(&[("sessions.max_session_bytes", "70000")]).await;
    let body = |claims: usize, data: usize| {
        json!({
            "subject": "ada",
            "claims": { "a": "x".repeat(claims) },
            "data": { "b": "y".repeat(data) },
        })
    };
    for (claims, data) in [(70_000, 0), (40_000, 40_000)] {
        let answer = begin(&world, body(claims, data)).await;
        assert_eq!(answer.problem(), (422, "BAD_REQUEST"), "{claims} and {data}");
    }
    assert_eq!(begin(&world, body(30_000, 30_000)).await.status, 201);
}

#[tokio::test]
async fn a_session_whose_access_token_no_cookie_holds_goes_without_that_cookie() {
    let world = World::with(&[("cookies.access_token", "true")]).await;
    let roles: Vec<_> =
        (10..70).map(|number| format!("team-{number}-{}", "x".repeat(50))).collect();
    let scopes = Scope::parse("sessions").unwrap();
    let key = world.service.service_keys().create("roles", &scopes, &roles).await.unwrap();
    let body = json!({ "subject": "ada", "transport": "cookie", "roles": roles });
    let answer = send(world.post("/sessions").bearer_auth(&*key.text).json(&body)).await;
    assert_eq!(answer.status, 201, "{:?}", answer.json);
    let cookies = answer.json["set_cookie"].as_array().unwrap();
    assert_eq!(cookies.len(), 1, "the session's own, which holds it");
    let cookie = cookies[0].as_str().unwrap().split(';').next().unwrap();
    let request = world.post("/sessions/refresh").header("cookie", cookie);
    let answer = send(request.header("sec-fetch-site", "same-origin")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    let mut set = answer.headers.get_all("set-cookie").iter();
    assert!(set.all(|cookie| !cookie.to_str().unwrap().contains("access")));
}
