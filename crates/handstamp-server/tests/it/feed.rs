//! The feed, followed by the real verifier.

use std::sync::Arc;
use std::time::{Duration, Instant};

use handstamp_protocol::Secret;
use handstamp_protocol::feed::{Cursor, Snapshot};
use handstamp_server::Scope;
use handstamp_verify::{
    Clock, Expected, Follower, Keys, Liveness, Revocations, Service, SystemClock, Verifier,
    VerifyError,
};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::wire::Wire;
use crate::world::{Answer, World, send};

const PATIENCE: Duration = Duration::from_secs(10);

/// A verifier that follows; stops when dropped.
struct Following {
    verifier: Verifier,
    task: JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::ops::Deref for Following {
    type Target = Verifier;

    fn deref(&self) -> &Verifier {
        &self.verifier
    }
}

impl Following {
    async fn of(world: &World) -> Self {
        let following = Self::at(world, &world.url, Duration::from_secs(5));
        following.ready(PATIENCE).await.unwrap();
        following
    }

    fn at(world: &World, url: &str, lease: Duration) -> Self {
        let service = Service::new(url, &Secret::new(world.key.clone())).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let keys = Arc::new(Keys::fetched(Arc::new(service.clone()), Duration::from_secs(1)));
        let revocations = Arc::new(Revocations::new(lease));
        let verifier = Verifier::with(
            Expected::new(&*world.url, "handstamp"),
            Arc::clone(&keys),
            Liveness::Feed(Arc::clone(&revocations)),
            Arc::clone(&clock),
            1 << 20,
        );
        let follower = Follower::new(service, keys, revocations, clock);
        let task = tokio::spawn(async move {
            follower.run().await;
        });
        Self { verifier, task }
    }

    /// Waits until it knows what `answer` ended.
    async fn knows(&self, answer: &Answer) {
        assert!(answer.status < 300, "{:?}", answer.json);
        let cursor = Cursor::parse(answer.header("handstamp-cursor")).unwrap();
        self.at_least(&cursor, PATIENCE).await.unwrap();
    }

    async fn verdict(&self, token: &Secret) -> Result<(), VerifyError> {
        self.verify(token.expose()).await.map(drop)
    }
}

async fn admin(world: &World, method: Method, path: &str, body: serde_json::Value) -> Answer {
    send(world.request(method, path).bearer_auth(&world.admin).json(&body)).await
}

async fn logout(world: &World, token: &Secret) -> Answer {
    send(world.post("/sessions/logout").bearer_auth(token.expose())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b03_s35_an_ended_session_is_refused_elsewhere_within_moments() {
    const ENDS: usize = 250;
    let world = World::in_real_time(&[("limits.begin", "none")]).await;
    let verifier = Following::of(&world).await;
    let mut tokens = Vec::new();
    for index in 0..ENDS {
        tokens.push(world.begin(&format!("user-{index}")).await.access_token);
    }
    let mut waits = Vec::new();
    for token in &tokens {
        assert_eq!(verifier.verdict(token).await, Ok(()));
        assert_eq!(logout(&world, token).await.status, 200);
        let acknowledged = Instant::now();
        while verifier.check(token.expose()) != Err(VerifyError::Ended) {
            assert!(acknowledged.elapsed() < PATIENCE, "it is still let in");
            tokio::task::yield_now().await;
        }
        waits.push(acknowledged.elapsed());
    }
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() * percent / 100).min(waits.len() - 1)];
    println!("{ENDS} ends: p50 {:?}, p99 {:?}, max {:?}", at(50), at(99), at(100));
    // On a machine that does nothing else it is a few milliseconds.
    assert!(at(99) < Duration::from_secs(1), "{:?}", at(99));
}

#[tokio::test]
async fn b03_b09_a_role_that_was_taken_away_is_gone_elsewhere_too() {
    let world = World::in_real_time(&[]).await;
    let verifier = Following::of(&world).await;
    let both = json!({ "subject": "ada", "roles": ["editor", "reader"] });
    let (cut, kept) = (
        world.begin_with(both.clone()).await,
        world.begin_with(json!({ "subject": "ada", "roles": ["reader"] })).await,
    );
    let bob = world.begin_with(json!({ "subject": "bob", "roles": ["editor"] })).await;
    assert_eq!(verifier.verdict(&cut.access_token).await, Ok(()));
    let narrow = json!({ "roles": ["reader"] });
    let answer = admin(&world, Method::PUT, "/admin/subjects/ada/roles", narrow).await;
    verifier.knows(&answer).await;
    assert_eq!(verifier.verdict(&cut.access_token).await, Err(VerifyError::Superseded));
    assert_eq!(verifier.verdict(&kept.access_token).await, Ok(()), "nothing was taken from it");
    assert_eq!(verifier.verdict(&bob.access_token).await, Ok(()));
    let refreshed = world.refresh(cut.refresh_token.expose()).await;
    let token = refreshed.json["access_token"].as_str().unwrap();
    let claims = verifier.verify(token).await.unwrap();
    assert_eq!(claims.roles, ["reader"]);
}

#[tokio::test]
async fn b03_end_all_and_disabling_reach_every_session_of_the_subject() {
    let world = World::in_real_time(&[]).await;
    let verifier = Following::of(&world).await;
    let (one, other) = (world.begin("ada").await, world.begin("ada").await);
    let bob = world.begin("bob").await;
    let body = json!({ "except_current": true });
    let request = world.post("/sessions/logout-all").bearer_auth(one.access_token.expose());
    verifier.knows(&send(request.json(&body)).await).await;
    assert!(verifier.verdict(&other.access_token).await.is_err());
    assert_eq!(verifier.verdict(&bob.access_token).await, Ok(()));
    let spared = world.refresh(one.refresh_token.expose()).await;
    let token = Secret::new(spared.json["access_token"].as_str().unwrap());
    assert_eq!(verifier.verdict(&token).await, Ok(()), "the spared one refreshes and goes on");
    let answer = admin(&world, Method::POST, "/admin/subjects/ada/disable", json!({})).await;
    verifier.knows(&answer).await;
    assert!(verifier.verdict(&token).await.is_err());
    assert_eq!(verifier.verdict(&bob.access_token).await, Ok(()));
}

#[tokio::test]
async fn b03_the_deployments_epoch_reaches_everybody() {
    let world = World::in_real_time(&[]).await;
    let verifier = Following::of(&world).await;
    let (ada, bob) = (world.begin("ada").await, world.begin("bob").await);
    assert_eq!(verifier.verdict(&ada.access_token).await, Ok(()));
    world.sessions.end_everybody(None).await.unwrap();
    verifier.knows(&logout(&world, &world.begin("eve").await.access_token).await).await;
    assert_eq!(verifier.verdict(&ada.access_token).await, Err(VerifyError::Superseded));
    assert_eq!(verifier.verdict(&bob.access_token).await, Err(VerifyError::Superseded));
    assert_eq!(verifier.verdict(&world.begin("ada").await.access_token).await, Ok(()));
}

#[tokio::test]
async fn b03_rotation_kills_nothing_and_what_is_set_aside_waits() {
    let world = World::in_real_time(&[]).await;
    let verifier = Following::of(&world).await;
    let begun = world.begin("ada").await;
    let mut refresh = begun.refresh_token.clone();
    for _ in 0..3 {
        let answer = world.refresh(refresh.expose()).await;
        refresh = Secret::new(answer.json["refresh_token"].as_str().unwrap());
    }
    verifier.knows(&logout(&world, &world.begin("bob").await.access_token).await).await;
    assert_eq!(verifier.verdict(&begun.access_token).await, Ok(()), "three rotations ago");
    let id = begun.session.id.parse().unwrap();
    world.sessions.suspend(id, None, None).await.unwrap();
    verifier.knows(&logout(&world, &world.begin("bob").await.access_token).await).await;
    assert_eq!(verifier.verdict(&begun.access_token).await, Err(VerifyError::Superseded));
    world.sessions.resume(id, None).await.unwrap();
    let answer = world.refresh(refresh.expose()).await;
    let token = Secret::new(answer.json["access_token"].as_str().unwrap());
    assert_eq!(verifier.verdict(&token).await, Ok(()), "taken back and refreshed");
}

#[tokio::test]
async fn b03_s35_with_the_feed_cut_off_everything_is_refused_at_the_lease_and_comes_back() {
    let lease = Duration::from_secs(2);
    let world = World::in_real_time(&[]).await;
    let wire = Wire::to(&world.url).await;
    let verifier = Following::at(&world, &wire.url, lease);
    verifier.ready(PATIENCE).await.unwrap();
    let (ada, bob) = (world.begin("ada").await, world.begin("bob").await);
    assert_eq!(verifier.verdict(&ada.access_token).await, Ok(()));
    assert_eq!(verifier.verdict(&bob.access_token).await, Ok(()));
    wire.cut();
    let (cut_at, before) = (Instant::now(), wire.connections());
    logout(&world, &bob.access_token).await;
    while verifier.check(ada.access_token.expose()) != Err(VerifyError::Lapsed) {
        assert!(cut_at.elapsed() < lease + Duration::from_secs(1), "past the lease");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(verifier.check(bob.access_token.expose()).err(), Some(VerifyError::Lapsed));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tries = wire.connections() - before;
    assert!((1..=20).contains(&tries), "{tries} tries: neither given up nor a stampede");
    wire.mend();
    verifier.ready(PATIENCE).await.unwrap();
    assert_eq!(verifier.check(ada.access_token.expose()).map(drop), Ok(()));
    assert_eq!(verifier.check(bob.access_token.expose()).err(), Some(VerifyError::Ended));
}

#[tokio::test]
async fn b03_whoever_comes_later_hears_by_snapshot_and_only_what_matters() {
    let world = World::in_real_time(&[]).await;
    let (ada, bob) = (world.begin("ada").await, world.begin("bob").await);
    logout(&world, &ada.access_token).await;
    let answer = send(world.get("/feed/snapshot").bearer_auth(&world.key)).await;
    let snapshot: Snapshot = serde_json::from_value(answer.json).unwrap();
    let told = serde_json::to_value(&snapshot.lines).unwrap();
    assert_eq!(told, json!([{ "session": ada.session.id, "ended": true }]));
    assert_eq!(snapshot.longest_token_seconds, 1800);
    let late = Following::of(&world).await;
    assert_eq!(late.verdict(&ada.access_token).await, Err(VerifyError::Ended));
    assert_eq!(late.verdict(&bob.access_token).await, Ok(()));
}

#[tokio::test]
async fn b03_a_cursor_of_another_life_is_gone_and_what_is_none_is_refused() {
    let world = World::in_real_time(&[]).await;
    let status = async |query: &str| {
        let request = world.get(&format!("/feed/revocations{query}")).bearer_auth(&world.key);
        request.send().await.unwrap().status().as_u16()
    };
    for (query, expected) in [
        ("", 200),
        ("?after=1-1", 410),
        ("?after=", 400),
        ("?after=nonsense", 400),
        ("?after=1-1&after=1-1", 400),
        ("?before=1-1", 400),
    ] {
        assert_eq!(status(query).await, expected, "{query}");
    }
    let snapshot = send(world.get("/feed/snapshot").bearer_auth(&world.key)).await;
    let cursor = snapshot.json["cursor"].as_str().unwrap();
    assert_eq!(status(&format!("?after={cursor}")).await, 200);
    let made = world.service.service_keys().create("x", &[Scope::Begin], &[]).await.unwrap();
    let refused = send(world.get("/feed/snapshot").bearer_auth(made.text.as_str())).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
}

#[tokio::test]
async fn the_stream_of_a_key_that_is_revoked_is_over() {
    let world = World::in_real_time(&[]).await;
    let made = world.service.service_keys().create("x", &[Scope::Feed], &[]).await.unwrap();
    let request = world.get("/feed/revocations").bearer_auth(made.text.as_str());
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: heartbeat\nid: "), "{first:?}");
    world.service.service_keys().revoke(&made.key.id).await.unwrap();
    let rest = tokio::time::timeout(PATIENCE, stream.text()).await;
    assert!(!rest.unwrap().unwrap().contains("heartbeat"));
}

#[tokio::test]
async fn streams_are_over_when_the_service_stops() {
    let world = World::in_real_time(&[]).await;
    let stream = world.get("/feed/revocations").bearer_auth(&world.key).send().await.unwrap();
    world.service.stop();
    tokio::time::timeout(PATIENCE, stream.text()).await.unwrap().unwrap();
}

#[tokio::test]
async fn handstamp_min_is_met_waited_for_or_refused() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    let ended = logout(&world, &begun.access_token).await;
    let ask =
        async |min: &str| send(world.get("/sessions/status").header("handstamp-min", min)).await;
    let cursor = ended.header("handstamp-cursor");
    assert_eq!(ask(cursor).await.status, 200);
    for bad in ["", "nonsense", "1"] {
        assert_eq!(ask(bad).await.problem(), (400, "BAD_REQUEST"), "{bad}");
    }
    let (log, number) = cursor.split_once('-').unwrap();
    let number: u64 = number.parse().unwrap();
    let ahead = format!("{log}-{}", number + 1);
    let (waited, _) = tokio::join!(ask(&ahead), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.begin("bob").await
    });
    assert_eq!(waited.status, 200, "reached while it waited");
    let far = ask(&format!("{log}-{}", number + 1_000)).await;
    assert_eq!(far.problem(), (503, "STORE_UNAVAILABLE"));
    assert_eq!(far.header("retry-after"), "1");
    assert_eq!(ask("1-1").await.problem(), (503, "STORE_UNAVAILABLE"), "of nobody we know");
    let twice = world.get("/sessions/status").header("handstamp-min", cursor);
    assert_eq!(send(twice.header("handstamp-min", cursor)).await.status, 400);
}
