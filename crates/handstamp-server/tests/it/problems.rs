//! The table of errors: every code, in every status that it has, with what it names.

use std::collections::BTreeSet;

use handstamp_core::testing::{Call, Failure};
use handstamp_protocol::ErrorCode;
use handstamp_protocol::sessions::Reason;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::headers::refuse_others;
use crate::world::{Answer, World, send};

/// One way to a problem, and what is to come with it.
struct Row {
    code: ErrorCode,
    status: u16,
    answer: Answer,
    members: &'static [&'static str],
    headers: &'static [&'static str],
}

async fn row(code: ErrorCode, status: u16, request: RequestBuilder) -> Row {
    let answer = send(request).await;
    let headers: &[&str] = match status {
        401 => &["www-authenticate"],
        405 => &["allow"],
        429 => &["retry-after", "ratelimit", "ratelimit-policy"],
        503 => &["retry-after"],
        _ => &[],
    };
    Row { code, status, answer, members: &[], headers }
}

impl Row {
    fn with(self, members: &'static [&'static str]) -> Self {
        Self { members, ..self }
    }

    fn check(&self) {
        let Self { code, status, answer, members, headers } = self;
        let told = format!("{code} {status}: {:?}", answer.json);
        assert_eq!(answer.problem(), (*status, code.as_str()), "{told}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{told}");
        assert_eq!(answer.header("cache-control"), "no-store", "{told}");
        let always = ["type", "title", "status", "detail", "code", "timestamp", "request_id"];
        for member in always.iter().chain(*members) {
            assert!(!answer.json[member].is_null(), "{member} of {told}");
        }
        assert_eq!(answer.json["status"], *status, "{told}");
        assert_eq!(answer.json["request_id"], answer.header("x-request-id"), "{told}");
        for header in *headers {
            assert!(!answer.header(header).is_empty(), "{header} of {told}");
        }
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.starts_with("Bearer error=\""), *status == 401, "{told}");
        let read: Result<handstamp_protocol::Problem, _> =
            serde_json::from_value(answer.json.clone());
        assert!(read.is_ok(), "{told}: {read:?}");
        refuse_others(answer);
    }
}

fn post(world: &World, path: &str, body: Value) -> RequestBuilder {
    world.post(path).json(&body)
}

fn begin(world: &World, body: Value) -> RequestBuilder {
    post(world, "/sessions", body).bearer_auth(&world.key)
}

async fn of_credentials() -> Vec<Row> {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let access = ada.access_token.expose();
    let nobodys = format!("/sessions/{}", "A".repeat(24));
    let forged = post(&world, "/sessions/refresh", json!({ "refresh_token": "hsr_nonsense" }));
    let mut rows = vec![
        row(ErrorCode::SessionNotFound, 401, world.get("/sessions/my-sessions")).await,
        row(
            ErrorCode::SessionNotFound,
            404,
            world.request(Method::DELETE, &nobodys).bearer_auth(access),
        )
        .await,
        row(ErrorCode::SessionInvalid, 401, forged).await,
        row(
            ErrorCode::JwtInvalid,
            401,
            world.get("/sessions/my-sessions").bearer_auth("e30.e30.e30"),
        )
        .await,
        row(ErrorCode::Forbidden, 403, world.get("/admin/sessions").bearer_auth(access)).await,
    ];
    let path = format!("/admin/sessions/{}/suspend", ada.session.id);
    send(world.post(&path).bearer_auth(&world.admin)).await;
    let suspended = world.get("/sessions/my-sessions").bearer_auth(access);
    rows.push(row(ErrorCode::SessionSuspended, 401, suspended).await);
    let bob = world.begin("bob").await;
    world.advance(10);
    let fresh = world.get("/sessions/verify?max_age_seconds=5");
    let fresh = fresh.bearer_auth(bob.access_token.expose());
    rows.push(row(ErrorCode::StepUpRequired, 403, fresh).await.with(&["max_age_seconds"]));
    world.advance(bob.expires_in);
    let late = world.get("/sessions/my-sessions").bearer_auth(bob.access_token.expose());
    rows.push(row(ErrorCode::JwtInvalid, 401, late).await.with(&["reason"]));
    let cookie = world.begin_cookie("cleo").await;
    let foreign = world.post("/sessions/logout").header("cookie", cookie);
    let foreign = foreign.header("sec-fetch-site", "cross-site");
    rows.push(row(ErrorCode::CsrfInvalid, 403, foreign).await);
    rows
}

async fn of_lifetimes() -> Vec<Row> {
    let settings = [("sessions.idle_seconds", "600"), ("sessions.absolute_seconds", "1000")];
    let world = World::with(&settings).await;
    let (idle, absolute) = (world.begin("ada").await, world.begin("ada").await);
    let refresh =
        |token: &Value| post(&world, "/sessions/refresh", json!({ "refresh_token": token }));
    world.advance(599);
    let now = handstamp_protocol::Time::from_millis(world.sessions.now().as_millis());
    let body = json!({ "refresh_token": absolute.refresh_token, "last_active_at": now });
    let used = send(post(&world, "/sessions/refresh", body)).await;
    world.advance(2 + world.idle_slack());
    let told: &[&str] = &["reason", "ended_at"];
    let first = row(ErrorCode::SessionExpired, 401, refresh(&json!(idle.refresh_token))).await;
    world.advance(400 - world.idle_slack());
    let second = row(ErrorCode::SessionExpired, 401, refresh(&used.json["refresh_token"])).await;
    assert_eq!(
        (&first.answer.json["reason"], &second.answer.json["reason"]),
        (&json!("idle"), &json!("absolute"))
    );
    vec![first.with(told), second.with(told)]
}

/// A session for each act that ends one.
async fn of_ends() -> Vec<Row> {
    let settings = [("sessions.max_per_subject", "2"), ("guests.enabled", "true")];
    let world = World::with(&settings).await;
    let operate = async |path: &str, body: Value| {
        assert_eq!(send(post(&world, path, body).bearer_auth(&world.admin)).await.status, 200);
    };
    let mut ended = Vec::new();
    for who in ["logout", "logout_all", "revoked", "limit", "reuse", "disabled", "admin"] {
        let session = world.begin(who).await;
        let (access, id) = (session.access_token.expose(), &session.session.id);
        world.advance(1);
        match who {
            "logout" => drop(send(world.post("/sessions/logout").bearer_auth(access)).await),
            "logout_all" => {
                drop(send(world.post("/sessions/logout-all").bearer_auth(access)).await)
            }
            "revoked" => {
                let other = world.begin(who).await;
                let end = world.request(Method::DELETE, &format!("/sessions/{id}"));
                drop(send(end.bearer_auth(other.access_token.expose())).await);
            }
            "limit" => {
                world.begin(who).await;
                world.begin(who).await;
            }
            "reuse" => {
                let next = world.refresh(session.refresh_token.expose()).await;
                world.refresh(next.json["refresh_token"].as_str().unwrap()).await;
                world.advance(31);
                world.refresh(session.refresh_token.expose()).await;
            }
            "disabled" => operate("/admin/subjects/disabled/disable", json!({})).await,
            _ => operate("/admin/sessions/end", json!({ "ids": [id] })).await,
        }
        ended.push((who, session.refresh_token.expose().to_owned()));
    }
    let guest = send(post(&world, "/sessions/guest", json!({}))).await;
    let guest = guest.json["refresh_token"].as_str().unwrap().to_owned();
    world.begin_with(json!({ "subject": "replaced", "upgrade_from": guest })).await;
    ended.push(("replaced", guest));
    let mut rows = Vec::new();
    for (reason, token) in ended {
        let refresh = post(&world, "/sessions/refresh", json!({ "refresh_token": token }));
        let row = row(ErrorCode::SessionEnded, 401, refresh).await.with(&["reason", "ended_at"]);
        assert_eq!(row.answer.json["reason"], reason);
        rows.push(row);
    }
    rows
}

async fn of_begins() -> Vec<Row> {
    let settings = [
        ("sessions.max_per_subject", "1"),
        ("sessions.limit_strategy", "deny"),
        ("guests.enabled", "true"),
        ("limits.guest", "1/60s"),
    ];
    let world = World::with(&settings).await;
    world.begin("ada").await;
    let keyed = |subject: &str| {
        begin(&world, json!({ "subject": subject })).header("Idempotency-Key", "a key")
    };
    let bob = send(keyed("bob")).await;
    world.refresh(bob.json["refresh_token"].as_str().unwrap()).await;
    let disable = world.post("/admin/subjects/cleo/disable").bearer_auth(&world.admin);
    send(disable).await;
    send(world.post("/sessions/guest")).await;
    vec![
        row(ErrorCode::LimitReached, 409, begin(&world, json!({ "subject": "ada" }))).await,
        row(ErrorCode::Conflict, 409, keyed("bob")).await,
        row(ErrorCode::SubjectDisabled, 403, begin(&world, json!({ "subject": "cleo" }))).await,
        row(ErrorCode::RateLimited, 429, world.post("/sessions/guest")).await,
    ]
}

async fn of_requests() -> Vec<Row> {
    let world = World::new().await;
    let bad = ErrorCode::BadRequest;
    let text = begin(&world, json!({})).header("content-type", "text/plain");
    let large = json!({ "subject": "x".repeat(1 << 20) });
    let gone = world.get("/feed/revocations?after=1-1").bearer_auth(&world.key);
    vec![
        row(bad.clone(), 400, begin(&world, json!({ "nobody": 1 }))).await.with(&["errors"]),
        row(bad.clone(), 422, begin(&world, json!({ "subject": "" }))).await.with(&["errors"]),
        row(bad.clone(), 413, begin(&world, large)).await,
        row(bad.clone(), 415, text).await,
        row(bad.clone(), 404, world.get("/nowhere")).await,
        row(bad.clone(), 405, world.request(Method::PUT, "/sessions/status")).await,
        row(bad, 410, gone).await,
    ]
}

async fn of_the_store() -> Vec<Row> {
    let world = World::new().await;
    // The other's calls of the store do not fail.
    world.on_one_node();
    let ada = world.begin("ada").await;
    let unavailable = ErrorCode::StoreUnavailable;
    let mut rows = Vec::new();
    for (failure, outcome) in [(Failure::Unavailable, "none"), (Failure::RequestLost, "unknown")] {
        world.gate.fail_next(Call::Commit, failure);
        if failure == Failure::RequestLost {
            // Five times the engine asks what became of the commit.
            (0..5).for_each(|_| world.gate.fail_next(Call::Load, Failure::Unavailable));
        }
        let refresh = json!({ "refresh_token": ada.refresh_token });
        let row = row(unavailable.clone(), 503, post(&world, "/sessions/refresh", refresh)).await;
        assert_eq!(row.answer.json["outcome"], outcome, "{:?}", row.answer.json);
        rows.push(row.with(&["outcome"]));
    }
    world.gate.set_down(true);
    for path in ["/readyz", "/admin/sessions", "/sessions/my-session-logs"] {
        let token =
            if path.starts_with("/admin") { &world.admin } else { ada.access_token.expose() };
        rows.push(row(unavailable.clone(), 503, world.get(path).bearer_auth(token)).await);
    }
    world.gate.set_down(false);
    let again = world.refresh(ada.refresh_token.expose()).await;
    assert_eq!(again.status, 200, "nothing was lost: {:?}", again.json);
    rows
}

/// Shows X07. Whoever adds a code, or a status of one, to the protocol adds a row here.
#[tokio::test]
async fn s91_every_code_comes_in_every_status_that_it_has_with_all_that_it_names() {
    let parts = [
        of_credentials().await,
        of_lifetimes().await,
        of_ends().await,
        of_begins().await,
        of_requests().await,
        of_the_store().await,
    ];
    let rows: Vec<Row> = parts.into_iter().flatten().collect();
    rows.iter().for_each(Row::check);
    let shown: BTreeSet<_> = rows.iter().map(|row| (row.code.to_string(), row.status)).collect();
    let of =
        |code: &'static ErrorCode| code.statuses().iter().map(|status| (code.to_string(), *status));
    let known: BTreeSet<_> = ErrorCode::ALL.iter().flat_map(of).collect();
    assert_eq!(shown, known);
    let reason = |row: &Row| row.answer.json["reason"].as_str().map(str::to_owned);
    let told: BTreeSet<String> = rows.iter().filter_map(reason).collect();
    let all: BTreeSet<String> = Reason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(told, all, "every reason is told");
}
