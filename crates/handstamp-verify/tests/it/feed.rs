//! The follower against a service that says what a test tells it to.

use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::Secret;
use handstamp_protocol::feed::{Cursor, FeedLine, Snapshot, heartbeat_event, lines_event};
use handstamp_protocol::tokens::Jwks;
use handstamp_verify::feed::Pace;
use handstamp_verify::{
    Algorithm, Clock, Follower, Keys, Liveness, Revocations, Service, SigningKey, Verifier,
    VerifyError,
};
use tokio::task::JoinHandle;

use crate::script::{Open, Script, answer};
use crate::world::{Forge, ManualClock, claims, expected, key, sign};

/// A bound for what happens at once; nothing waits for so long.
const SOON: Duration = Duration::from_secs(20);

/// A follower beside a scripted service.
struct World {
    script: Script,
    clock: Arc<ManualClock>,
    key: SigningKey,
    keys: Arc<Keys>,
    revocations: Arc<Revocations>,
    verifier: Verifier,
    following: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.following.abort();
    }
}

fn cursor(number: u64) -> Cursor {
    Cursor::of([(1, number)])
}

fn snapshot(number: u64, lines: &[FeedLine]) -> Snapshot {
    Snapshot { cursor: cursor(number), longest_token_seconds: 1800, lines: lines.to_vec() }
}

fn pace() -> Pace {
    let moment = Duration::from_millis(1);
    Pace { first_retry: moment, longest_retry: moment, silence: SOON, ..Pace::default() }
}

impl World {
    /// Follows a service whose snapshot is at cursor 1 and without a line.
    async fn new() -> Self {
        Self::with(snapshot(1, &[]), pace()).await
    }

    async fn with(first: Snapshot, pace: Pace) -> Self {
        let script = Script::start().await;
        script.snapshot(&first);
        let key = key(Algorithm::Es256);
        script.keys(&serde_json::to_string(&Jwks { keys: vec![key.jwk().unwrap()] }).unwrap());
        let clock = Arc::new(ManualClock::default());
        let service = Service::new(&script.url, &Secret::new("hsk_example")).unwrap();
        let interval = Duration::from_secs(30);
        let keys = Arc::new(Keys::fetched(Arc::new(service.clone()), interval));
        let revocations = Arc::new(Revocations::default());
        let liveness = Liveness::Feed(Arc::clone(&revocations));
        let verifier = Verifier::with(
            expected(),
            Arc::clone(&keys),
            liveness,
            Arc::clone(&clock) as Arc<dyn Clock>,
            1 << 20,
        );
        let follower =
            Follower::new(service, Arc::clone(&keys), Arc::clone(&revocations), clock.clone());
        let following = tokio::spawn(async move {
            follower.with_pace(pace).run().await;
        });
        Self { script, clock, key, keys, revocations, verifier, following }
    }

    async fn stream(&mut self) -> Open {
        self.script.asked().await.open().await
    }

    async fn verdict(&self) -> Result<(), VerifyError> {
        self.verifier.verify(&sign(&self.key)).await.map(|_| ())
    }

    /// Waits until the follower has taken in what leads to this cursor.
    async fn reached(&self, number: u64) {
        self.verifier.at_least(&cursor(number), SOON).await.unwrap();
    }
}

#[tokio::test]
async fn b03_an_end_that_the_feed_tells_bites_at_once() {
    let mut world = World::new().await;
    let mut stream = world.stream().await;
    world.verifier.ready(SOON).await.unwrap();
    assert_eq!(world.verdict().await, Ok(()));
    stream.send(&lines_event(&cursor(2), &[FeedLine::ended(claims().sid)])).await;
    world.reached(2).await;
    assert_eq!(world.verdict().await, Err(VerifyError::Ended));
}

#[tokio::test]
async fn b03_what_ended_before_is_told_by_the_snapshot() {
    let world = World::with(snapshot(7, &[FeedLine::ended(claims().sid)]), pace()).await;
    world.verifier.ready(SOON).await.unwrap();
    assert_eq!(world.verdict().await, Err(VerifyError::Ended));
}

#[tokio::test]
async fn b03_a_heartbeat_renews_the_lease_from_the_moment_it_tells_of() {
    let mut world = World::new().await;
    let mut stream = world.stream().await;
    world.clock.advance(Duration::from_secs(4));
    stream.send(&heartbeat_event(&cursor(2), 3000)).await;
    world.reached(2).await;
    // Read at 3 s by the service's clock: at 2.9985 s at the least by ours, and 5 s from there.
    world.clock.advance(Duration::from_millis(3997));
    assert_eq!(world.verdict().await, Ok(()));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.verdict().await, Err(VerifyError::Lapsed));
}

#[tokio::test]
async fn b03_a_heartbeat_that_waited_while_we_slept_renews_nothing() {
    let mut world = World::new().await;
    let mut stream = world.stream().await;
    world.clock.advance(Duration::from_secs(60));
    stream.send(&heartbeat_event(&cursor(2), 1000)).await;
    world.reached(2).await;
    assert_eq!(world.verdict().await, Err(VerifyError::Lapsed));
    stream.send(&heartbeat_event(&cursor(3), 60_000)).await;
    world.reached(3).await;
    assert_eq!(world.verdict().await, Ok(()));
}

#[tokio::test]
async fn b03_a_heartbeat_from_the_future_counts_as_of_now() {
    let mut world = World::new().await;
    let mut stream = world.stream().await;
    stream.send(&heartbeat_event(&cursor(2), 3_600_000)).await;
    world.reached(2).await;
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(world.verdict().await, Err(VerifyError::Lapsed));
}

#[tokio::test]
async fn b03_a_stream_that_breaks_off_goes_on_from_where_it_was() {
    let mut world = World::new().await;
    let asked = world.script.asked().await;
    assert!(asked.head.starts_with("GET /feed/revocations?after=1-1 "), "{}", asked.head);
    let mut stream = asked.open().await;
    stream.send(&lines_event(&cursor(5), &[])).await;
    world.reached(5).await;
    // An event that was cut off does not count.
    stream.send("event: lines\nid: 1-6\ndata: {\"session\":\"s\",\"ended\":true}\n").await;
    drop(stream);
    let asked = world.script.asked().await;
    assert!(asked.head.starts_with("GET /feed/revocations?after=1-5 "), "{}", asked.head);
    assert_eq!(world.script.heads("/feed/snapshot").len(), 1);
}

#[tokio::test]
async fn b03_a_gap_is_closed_by_a_snapshot() {
    let mut world = World::new().await;
    let asked = world.script.asked().await;
    world.script.snapshot(&snapshot(90, &[FeedLine::ended(claims().sid)]));
    asked.refuse(410).await;
    let asked = world.script.asked().await;
    assert!(asked.head.starts_with("GET /feed/revocations?after=1-90 "), "{}", asked.head);
    assert_eq!(world.verdict().await, Err(VerifyError::Ended));
    assert_eq!(world.script.heads("/feed/snapshot").len(), 2);
}

#[tokio::test]
async fn b03_what_cannot_be_understood_is_not_taken_for_read() {
    let mut world = World::new().await;
    for bad in [
        "event: lines\nid: 1-9\ndata: {\"session\n\n",
        "event: lines\nid: nonsense\ndata: {\"deployment\":true,\"min_epoch\":1}\n\n",
        "event: heartbeat\nid: 1-9\ndata: {}\n\n",
        "data: \u{0}\nid: 1-9\n\nevent: heartbeat\nid: 1-9\ndata: [\n\n",
    ] {
        let asked = world.script.asked().await;
        assert!(asked.head.contains("?after=1-1 "), "{}", asked.head);
        asked.open().await.send(bad).await;
    }
    assert_eq!(world.revocations.cursor(), Some(cursor(1)));
}

#[tokio::test]
async fn events_and_lines_of_a_later_service_are_passed_over() {
    let mut world = World::new().await;
    let mut stream = world.stream().await;
    stream.send("event: news\nid: 1-2\ndata: what\n\n: comment\n\n").await;
    let later = FeedLine::Other(serde_json::json!({"key": "k"}));
    stream.send(&lines_event(&cursor(3), &[later, FeedLine::ended(claims().sid)])).await;
    world.reached(3).await;
    assert_eq!(world.verdict().await, Err(VerifyError::Ended));
}

#[tokio::test]
async fn a_silent_stream_is_given_up() {
    let silence = Duration::from_millis(10);
    let mut world = World::with(snapshot(1, &[]), Pace { silence, ..pace() }).await;
    let first = world.stream().await;
    world.script.asked().await;
    drop(first);
}

#[tokio::test]
async fn a_stream_is_opened_again_before_two_clocks_run_apart() {
    let mut world = World::new().await;
    let mut stream = world.stream().await;
    stream.send(&heartbeat_event(&cursor(2), 0)).await;
    world.reached(2).await;
    world.clock.advance(Duration::from_secs(600));
    stream.send(&heartbeat_event(&cursor(3), 600_000)).await;
    let asked = world.script.asked().await;
    assert!(asked.head.contains("?after=1-3 "), "{}", asked.head);
}

#[tokio::test]
async fn the_service_key_goes_to_the_feed_and_nowhere_else() {
    let mut world = World::new().await;
    let asked = world.script.asked().await;
    assert!(asked.head.contains("authorization: Bearer hsk_example\r\n"), "{}", asked.head);
    assert!(asked.head.contains("accept: text/event-stream\r\n"), "{}", asked.head);
    assert!(world.script.heads("/feed/snapshot")[0].contains("Bearer hsk_example"));
    assert_eq!(world.verdict().await, Ok(()));
    let heads = world.script.heads("/.well-known/jwks.json");
    assert!(heads.iter().all(|head| !head.contains("authorization")), "{heads:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut other = Script::start().await;
    let script = Script::start().await;
    let location = format!("{}/feed/revocations", other.url);
    let redirect = answer(302, "").replacen("\r\n", &format!("\r\nlocation: {location}\r\n"), 1);
    script.snapshot_raw(redirect);
    let service = Service::new(&script.url, &Secret::new("hsk_example")).unwrap();
    let (verifier, follower) = service.verifier(expected());
    let following = tokio::spawn(follower.with_pace(pace()).run());
    while script.heads("/feed/snapshot").len() < 3 {
        tokio::task::yield_now().await;
    }
    following.abort();
    assert_eq!(verifier.ready(Duration::ZERO).await, Err(VerifyError::Lapsed));
    assert!(tokio::time::timeout(Duration::ZERO, other.asked()).await.is_err());
}

#[tokio::test]
async fn nothing_is_good_before_the_feed_is_heard() {
    let script = Script::start().await;
    script.snapshot_raw(answer(503, "{}"));
    let key = key(Algorithm::Es256);
    script.keys(&serde_json::to_string(&Jwks { keys: vec![key.jwk().unwrap()] }).unwrap());
    let service = Service::new(&script.url, &Secret::new("hsk_example")).unwrap();
    let clock = Arc::new(ManualClock::default());
    let keys = Arc::new(Keys::fetched(Arc::new(service), Duration::from_secs(30)));
    let liveness = Liveness::Feed(Arc::default());
    let verifier = Verifier::with(expected(), keys, liveness, clock, 1 << 20);
    assert_eq!(verifier.verify(&sign(&key)).await.unwrap_err(), VerifyError::Lapsed);
}

#[tokio::test]
async fn s113_a_new_key_is_read_when_a_token_names_it_and_not_too_often() {
    let world = World::new().await;
    world.verifier.ready(SOON).await.unwrap();
    assert_eq!(world.verdict().await, Ok(()));
    let new = key(Algorithm::Ed25519);
    let both = vec![world.key.jwk().unwrap(), new.jwk().unwrap()];
    world.script.keys(&serde_json::to_string(&Jwks { keys: both }).unwrap());
    let verdict = world.verifier.verify(&sign(&new)).await;
    assert_eq!(verdict.unwrap_err(), VerifyError::UnknownKey, "just read");
    let reads = world.script.heads("/.well-known/jwks.json").len();
    assert_eq!(reads, 1);
    // The lease is renewed by hand: only the keys are of interest here.
    world.clock.advance(Duration::from_secs(30));
    world.revocations.renew(&cursor(1), world.clock.elapsed());
    assert!(world.verifier.verify(&sign(&new)).await.is_ok());
    assert!(world.verifier.verify(&sign(&key(Algorithm::Es256))).await.is_err());
    assert_eq!(world.script.heads("/.well-known/jwks.json").len(), 2);
}

#[tokio::test]
async fn s60_no_token_makes_us_ask_whom_it_names() {
    let world = World::new().await;
    world.verifier.ready(SOON).await.unwrap();
    let elsewhere = Script::start().await;
    let forge = Forge::new();
    for name in ["jku", "x5u", "kid"] {
        let url = format!("{}/.well-known/jwks.json", elsewhere.url);
        let verdict = world.verifier.verify(&forge.with_header(name, url.into())).await;
        assert!(matches!(verdict, Err(VerifyError::Invalid(_) | VerifyError::UnknownKey)));
    }
    assert!(elsewhere.heads("/.well-known/jwks.json").is_empty());
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_an_error_of_ours_and_not_of_the_token() {
    let script = Script::start().await;
    let service = Service::new(&script.url, &Secret::new("hsk_example")).unwrap();
    let keys = Arc::new(Keys::fetched(Arc::new(service), Duration::from_secs(30)));
    let clock = Arc::new(ManualClock::default());
    let verifier = Verifier::with(expected(), keys, Liveness::UntilExpiry, clock, 1 << 20);
    let verdict = verifier.verify(&sign(&key(Algorithm::Es256))).await;
    assert_eq!(verdict.unwrap_err(), VerifyError::NoKeys);
}

#[tokio::test]
async fn s112_a_key_that_is_withdrawn_is_refused_though_its_tokens_are_remembered() {
    let world = World::new().await;
    world.verifier.ready(SOON).await.unwrap();
    let token = sign(&world.key);
    assert!(world.verifier.verify(&token).await.is_ok());
    assert!(world.verifier.check(&token).is_ok(), "remembered");
    world.keys.replace(handstamp_verify::KeySet::default());
    assert_eq!(world.verifier.check(&token).unwrap_err(), VerifyError::UnknownKey);
}
