//! Live events: of holders and of operators.

use reqwest::Method;
use serde_json::json;

use crate::streams::Stream;
use crate::world::{World, send};

#[tokio::test]
async fn b04_a_holder_hears_of_its_sessions_and_the_stream_is_over_with_its_own() {
    let world = World::new().await;
    let (mine, other) = (world.begin("ada").await, world.begin("ada").await);
    let access = mine.access_token.expose();
    let mut stream = Stream::open(world.get("/sessions/events").bearer_auth(access)).await;
    world.begin("bob").await;
    world.refresh(mine.refresh_token.expose()).await;
    stream.hears("session.refreshed", &mine.session.id).await;
    let third = world.begin("ada").await;
    stream.hears("sessions.changed", &third.session.id).await;
    let path = format!("/sessions/{}", other.session.id);
    send(world.request(Method::DELETE, &path).bearer_auth(access)).await;
    let ended = stream.hears("session.ended", &other.session.id).await;
    assert_eq!(ended.data["reason"], "revoked");
    stream.hears("sessions.changed", &other.session.id).await;
    send(world.post("/sessions/logout").bearer_auth(access)).await;
    let own = stream.hears("session.ended", &mine.session.id).await;
    assert_eq!(own.data["reason"], "logout");
    assert_eq!(stream.next().await, None, "and closes");
}

#[tokio::test]
async fn b04_a_stream_is_over_when_its_session_runs_out_and_is_no_activity() {
    let world = World::in_real_time(&[]).await;
    let body = json!({ "subject": "ada", "lifetime": { "idle_seconds": 1 } });
    let begun = world.begin_with(body).await;
    let request = world.get("/sessions/events").bearer_auth(begun.access_token.expose());
    let mut stream = Stream::open(request).await;
    let own = stream.hears("session.ended", &begun.session.id).await;
    assert_eq!(own.data["reason"], "idle");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn b04_a_cookie_opens_a_stream_for_its_own_site_only() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let open = || world.get("/sessions/events").header("cookie", &cookie);
    let foreign = open().header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "cors");
    assert_eq!(send(foreign).await.problem(), (403, "CSRF_INVALID"));
    assert_eq!(send(world.get("/sessions/events")).await.status, 401);
    let mut stream = Stream::open(open()).await;
    let body = json!({ "except_current": false });
    let request = world.post("/sessions/logout-all").header("cookie", &cookie).json(&body);
    assert_eq!(send(request.header("sec-fetch-site", "same-origin")).await.status, 200);
    while let Some(event) = stream.next().await {
        assert!(["session.ended", "sessions.changed"].contains(&&*event.name), "{event:?}");
    }
}

#[tokio::test]
async fn b04_streams_are_over_when_the_service_stops() {
    let world = World::new().await;
    // The other goes on.
    world.on_one_node();
    let begun = world.begin("ada").await;
    let request = world.get("/sessions/events").bearer_auth(begun.access_token.expose());
    let holder = Stream::open(request).await;
    let operator = Stream::open(world.get("/admin/events").bearer_auth(&world.admin)).await;
    world.service.stop();
    holder.closes().await;
    operator.closes().await;
}

#[tokio::test]
async fn b04_operators_hear_everything_and_go_on_where_they_were() {
    let world = World::new().await;
    // What two services do at the same moment is told in either order.
    world.on_one_node();
    let open = || world.get("/admin/events").bearer_auth(&world.admin);
    let mut stream = Stream::open(open()).await;
    let ada = world.begin("ada").await;
    let first = stream.next().await.unwrap();
    assert_eq!((&*first.name, &first.data["subject"]), ("session.started", &json!("ada")));
    assert_eq!(first.data["action"], "login");
    drop(stream);
    for name in ["bob", "eve"] {
        world.begin(name).await;
    }
    let mut stream = Stream::open(open().header("last-event-id", &first.id)).await;
    let started = |subject: &str| (String::from("session.started"), json!(subject));
    for name in ["bob", "eve"] {
        let event = stream.next().await.unwrap();
        let is_of_risk = event.name.starts_with("risk.") || event.name == "device.new";
        assert!(is_of_risk || (event.name, event.data["subject"].clone()) == started(name));
    }
    send(world.post("/sessions/logout").bearer_auth(ada.access_token.expose())).await;
    let ended = stream.next().await.unwrap();
    assert_eq!((&*ended.name, &ended.data["subject"]), ("session.ended", &json!("ada")));
    let bad = open().header("last-event-id", "nonsense");
    assert_eq!(send(bad).await.problem(), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn b04_an_operator_who_is_ahead_of_the_log_hears_so_and_not_nothing() {
    let world = World::new().await;
    world.begin("ada").await;
    for id in ["1.99999999.0", "4294967295.1.0"] {
        let request = world.get("/admin/events").bearer_auth(&world.admin);
        let answer = send(request.header("last-event-id", id)).await;
        assert_eq!(answer.problem(), (400, "BAD_REQUEST"), "{id}");
    }
}

#[tokio::test]
async fn b04_the_stream_of_an_operator_is_over_with_the_session_or_the_role() {
    let world = World::new().await;
    let operate = async || {
        let roles = handstamp_core::roles::Roles::new(["handstamp:admin"]).unwrap();
        let sign_in = handstamp_core::SignIn::new("chief").unwrap().roles(roles);
        world.sessions.begin(sign_in).await.unwrap()
    };
    let open = async |begun: &handstamp_core::Begun| {
        let value = begun.token.to_text();
        let cookie = format!("handstamp-dev={}", value.as_str());
        Stream::open(world.get("/admin/events").header("cookie", cookie)).await
    };
    let (one, other) = (operate().await, operate().await);
    let (ends, narrowed) = (open(&one).await, open(&other).await);
    let reason = handstamp_core::record::EndReason::Logout;
    world.sessions.end(one.record.id, reason, None).await.unwrap();
    ends.closes().await;
    let roles = json!({ "roles": [] });
    let request = world.request(Method::PUT, "/admin/subjects/chief/roles").json(&roles);
    assert_eq!(send(request.bearer_auth(&world.admin)).await.status, 200);
    narrowed.closes().await;
}
