//! The tower layer: who is let in, and what the others are answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::Problem;
use handstamp_protocol::feed::{Cursor, FeedLine, Snapshot};
use handstamp_protocol::tokens::AccessClaims;
use handstamp_verify::{
    Algorithm, Clock, Keys, Liveness, Revocations, SigningKey, Verifier, VerifyLayer,
};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::world::{ManualClock, claims, expected, key, set, sign};

struct World {
    key: SigningKey,
    clock: Arc<ManualClock>,
    revocations: Arc<Revocations>,
    verifier: Verifier,
}

fn cursor(number: u64) -> Cursor {
    Cursor::of([(1, number)])
}

impl World {
    fn new() -> Self {
        let (key, clock) = (key(Algorithm::Es256), Arc::new(ManualClock::default()));
        let revocations = Arc::new(Revocations::default());
        let first = Snapshot { cursor: cursor(1), longest_token_seconds: 1800, lines: Vec::new() };
        revocations.restart(&first, clock.elapsed()).unwrap();
        let keys = Arc::new(Keys::fixed(set(&key)));
        let liveness = Liveness::Feed(Arc::clone(&revocations));
        let verifier = Verifier::with(expected(), keys, liveness, clock.clone(), 1 << 20);
        Self { key, clock, revocations, verifier }
    }

    fn layer(&self) -> VerifyLayer {
        VerifyLayer::new(self.verifier.clone())
    }

    fn request(&self) -> Request<()> {
        authorized(&format!("Bearer {}", sign(&self.key)))
    }
}

fn authorized(value: &str) -> Request<()> {
    Request::builder().header(AUTHORIZATION, value).body(()).unwrap()
}

/// Answers the subject that the layer has put into the request.
async fn hello(request: Request<()>) -> Result<Response<String>, Infallible> {
    let claims = request.extensions().get::<Arc<AccessClaims>>().unwrap();
    Ok(Response::new(claims.sub.clone()))
}

async fn ask(layer: VerifyLayer, request: Request<()>) -> Response<String> {
    let service = ServiceBuilder::new().layer(layer).service(service_fn(hello));
    service.oneshot(request).await.unwrap()
}

fn told(response: &Response<String>) -> (u16, String) {
    let problem: Problem = serde_json::from_str(response.body()).unwrap();
    assert_eq!(problem.status, response.status().as_u16());
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    (problem.status, problem.code.to_string())
}

#[tokio::test]
async fn whoever_has_a_good_token_is_let_in_with_its_claims() {
    let world = World::new();
    let response = ask(world.layer(), world.request()).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (200, "ada"));
}

#[tokio::test]
async fn s72_the_scheme_is_taken_in_any_case_and_nothing_is_nobody() {
    let world = World::new();
    let token = sign(&world.key);
    let response = ask(world.layer(), authorized(&format!("bEARER  {token} "))).await;
    assert_eq!(response.status().as_u16(), 200);
    for request in [Request::new(()), authorized("Bearer"), authorized("Bearer  ")] {
        let response = ask(world.layer(), request).await;
        assert_eq!(told(&response), (401, "SESSION_NOT_FOUND".into()));
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    }
}

#[tokio::test]
async fn s72_two_headers_or_another_scheme_are_a_bad_request() {
    let world = World::new();
    let mut twice = world.request();
    let value = twice.headers()[AUTHORIZATION].clone();
    twice.headers_mut().append(AUTHORIZATION, value);
    let token = sign(&world.key);
    for request in [
        twice,
        authorized("Basic YTpi"),
        authorized(&token),
        authorized(&format!("Bearer,{token}")),
        authorized("Bearer\u{e4} x"),
    ] {
        assert_eq!(told(&ask(world.layer(), request).await), (400, "BAD_REQUEST".into()));
    }
}

#[tokio::test]
async fn s67_a_bad_token_is_401_with_a_challenge() {
    let world = World::new();
    for bad in ["a.b.c", "x", "eyJhbGciOiJub25lIn0.e30.AA"] {
        let response = ask(world.layer(), authorized(&format!("Bearer {bad}"))).await;
        assert_eq!(told(&response), (401, "JWT_INVALID".into()));
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    }
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let world = World::new();
    let request = world.request();
    world.clock.advance(Duration::from_secs(1800));
    let response = ask(world.layer(), request).await;
    assert_eq!(told(&response), (401, "JWT_INVALID".into()));
    let problem: Problem = serde_json::from_str(response.body()).unwrap();
    assert_eq!(problem.reason.unwrap().as_str(), "expired");
    assert_eq!(problem.timestamp, world.clock.now());
}

#[tokio::test]
async fn b03_an_ended_session_is_refused_with_its_code() {
    let world = World::new();
    let ended = [FeedLine::ended(claims().sid)];
    world.revocations.apply(&cursor(2), &ended, world.clock.elapsed());
    let response = ask(world.layer(), world.request()).await;
    assert_eq!(told(&response), (401, "SESSION_ENDED".into()));
}

#[tokio::test]
async fn s100_b03_while_the_feed_is_not_heard_nobody_is_let_in() {
    let world = World::new();
    world.clock.advance(Duration::from_secs(5));
    let response = ask(world.layer(), world.request()).await;
    assert_eq!(told(&response), (503, "STORE_UNAVAILABLE".into()));
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
}

#[tokio::test]
async fn every_role_that_is_demanded_must_be_there() {
    let world = World::new();
    let clerk = world.layer().require_role("clerk");
    assert_eq!(ask(clerk.clone(), world.request()).await.status().as_u16(), 200);
    let response = ask(clerk.require_role("manager"), world.request()).await;
    assert_eq!(told(&response), (403, "FORBIDDEN".into()));
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer error=\"insufficient_scope\"");
}

fn demanding(world: &World, cursor: &str) -> Request<()> {
    let mut request = world.request();
    request.headers_mut().insert("handstamp-min", cursor.parse().unwrap());
    request
}

#[tokio::test]
async fn b03_a_request_reads_its_own_revocation() {
    let world = World::new();
    let asks = ask(world.layer(), demanding(&world, "1-2"));
    let ends = async {
        let ended = [FeedLine::ended(claims().sid)];
        world.revocations.apply(&cursor(2), &ended, world.clock.elapsed());
    };
    let (response, ()) = tokio::join!(asks, ends);
    assert_eq!(told(&response), (401, "SESSION_ENDED".into()));
}

#[tokio::test]
async fn b03_a_state_that_does_not_come_in_time_is_503_and_nonsense_is_400() {
    let world = World::new();
    let layer = world.layer().wait_at_most(Duration::ZERO);
    let response = ask(layer.clone(), demanding(&world, "1-2")).await;
    assert_eq!(told(&response), (503, "STORE_UNAVAILABLE".into()));
    assert_eq!(ask(layer.clone(), demanding(&world, "1-1")).await.status().as_u16(), 200);
    let response = ask(layer, demanding(&world, "what?")).await;
    assert_eq!(told(&response), (400, "BAD_REQUEST".into()));
}

#[tokio::test]
async fn strangers_do_not_get_to_wait() {
    let world = World::new();
    let mut request = demanding(&world, "1-99");
    request.headers_mut().insert(AUTHORIZATION, "Bearer a.b.c".parse().unwrap());
    let layer = world.layer().wait_at_most(Duration::MAX);
    assert_eq!(told(&ask(layer, request).await), (401, "JWT_INVALID".into()));
}

#[tokio::test]
async fn an_id_of_the_request_is_told_again_if_it_is_plain() {
    let world = World::new();
    for (id, expected) in [("r-1.a_B", "r-1.a_B"), ("r<1>", ""), (&*"r".repeat(65), "")] {
        let request = Request::builder().header("x-request-id", id).body(()).unwrap();
        let response = ask(world.layer(), request).await;
        let problem: Problem = serde_json::from_str(response.body()).unwrap();
        assert_eq!(problem.request_id, expected);
    }
}

#[tokio::test]
async fn a_router_of_axum_stands_behind_it() {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Extension;
    use axum::routing::get;

    async fn who(Extension(claims): Extension<Arc<AccessClaims>>) -> String {
        claims.sub.clone()
    }

    let world = World::new();
    let app = Router::new().route("/", get(who)).layer(world.layer());
    let request = world.request().map(|()| Body::empty());
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
}
