//! Defects that were found and mended, each with the sequence that brought it about.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::config::SessionConfigBuilder;
use handstamp_core::record::{Client, EndReason};
use handstamp_core::roles::Roles;
use handstamp_core::store::{MemoryStore, Page};
use handstamp_core::testing::{Call, Failure, GateStore, Held, ManualClock, When};
use handstamp_core::time::Timestamp;
use handstamp_core::{
    Begun, CookieAction, CookieValue, KeyRing, Presented, Session, SessionConfig, SessionError,
    SessionManager, SignIn, SignInFailure, Subject,
};
use tokio::task::JoinHandle;

/// A manager on a store whose calls can be held, with a clock set by hand.
struct World {
    gate: GateStore<MemoryStore>,
    clock: Arc<ManualClock>,
    sessions: SessionManager,
}

impl World {
    fn new() -> Self {
        Self::with(|settings| settings)
    }

    fn with(edit: impl FnOnce(SessionConfigBuilder) -> SessionConfigBuilder) -> Self {
        let gate = GateStore::new(MemoryStore::new());
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        let config = edit(SessionConfig::default().edit()).build().unwrap();
        let sessions = manager(&gate, config, &clock);
        Self { gate, clock, sessions }
    }

    /// Cookies are rotated when they are a minute old.
    fn that_rotates() -> Self {
        Self::with(|settings| settings.rotate_every(Some(Duration::from_secs(60))))
    }

    fn a_minute_passes(&self) {
        self.clock.advance(Duration::from_secs(61));
    }

    async fn signed_in(&self) -> Begun {
        self.sessions.begin("ann").await.unwrap()
    }

    /// The session of a request that brings this cookie.
    fn open(&self, cookie: &str) -> Session {
        self.sessions.open(Presented {
            cookie: CookieValue::One(cookie.as_bytes()),
            pre_session: None,
            client: Client::default(),
        })
    }

    /// The same, judged already.
    async fn judged(&self, cookie: &str) -> Session {
        let session = self.open(cookie);
        session.resolve().await.unwrap();
        session
    }

    async fn is_good(&self, cookie: &str) -> bool {
        self.sessions.load(cookie).await.is_ok()
    }

    /// An operator ends a session; its commit is held before it reaches the store.
    async fn end_held(&self, begun: &Begun) -> (Held, JoinHandle<Result<bool, SessionError>>) {
        let held = self.gate.hold(Call::Commit, When::Before);
        let (sessions, id) = (self.sessions.clone(), begun.record.id);
        let end = tokio::spawn(async move { sessions.end(id, EndReason::Admin, None).await });
        held.arrived().await;
        (held, end)
    }
}

fn manager(
    gate: &GateStore<MemoryStore>,
    config: SessionConfig,
    clock: &Arc<ManualClock>,
) -> SessionManager {
    SessionManager::builder(gate.clone(), config, KeyRing::generate().unwrap())
        .clock(Arc::clone(clock))
        .maintenance(false)
        .build()
}

fn cookie(begun: &Begun) -> String {
    begun.token.to_text().to_string()
}

fn cookie_set_by(session: &Session) -> String {
    match session.outgoing().cookie {
        CookieAction::Set { value, .. } => value.to_string(),
        other => panic!("a cookie is set: {other:?}"),
    }
}

fn judging(session: &Session) -> JoinHandle<Result<(), SessionError>> {
    let session = session.clone();
    tokio::spawn(async move { session.resolve().await })
}

/// Everything that can go on without the clock or the gate has gone on.
async fn settled() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_is_lost_when_a_drain_ends_as_a_job_arrives() {
    let world = World::new();
    let callers = (0..6).map(|_| {
        let sessions = world.sessions.clone();
        tokio::spawn(async move {
            for _ in 0..10_000 {
                let failure = SignInFailure { reason: "x", ..SignInFailure::default() };
                sessions.sign_in_failed(failure).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn a_sign_in_at_the_limit_goes_on_when_its_victim_signs_out_meanwhile() {
    let world = World::with(|settings| settings.limit(Some(1)));
    let victim = world.signed_in().await;
    let held = world.gate.hold(Call::BySubject, When::After);
    let sessions = world.sessions.clone();
    let second = tokio::spawn(async move { sessions.begin("ann").await });
    held.arrived().await;
    assert!(world.sessions.end(victim.record.id, EndReason::Logout, None).await.unwrap());
    held.release();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_limit_above_a_page_of_sessions_makes_room_too() {
    let world = World::with(|settings| settings.limit(Some(1001)));
    for _ in 0..=1001 {
        world.signed_in().await;
    }
}

#[tokio::test]
async fn s23_a_cookie_that_is_sent_counts_as_use_so_nobody_stores_the_response() {
    let world = World::that_rotates();
    let begun = world.signed_in().await;
    world.a_minute_passes();
    let session = world.judged(&cookie(&begun)).await;
    let _ = session.finish(true);
    let outgoing = session.outgoing();
    assert_ne!(outgoing.cookie, CookieAction::None, "it was time to rotate");
    assert!(outgoing.was_used);
}

#[tokio::test]
async fn a_cookie_superseded_while_its_rotation_waited_gets_no_successor() {
    let world = World::that_rotates();
    let begun = world.signed_in().await;
    let holder = world.judged(&cookie(&begun)).await;
    let held = world.gate.hold(Call::Commit, When::Before);
    let regenerated = tokio::spawn(async move { holder.regenerate().await });
    held.arrived().await;
    world.a_minute_passes();
    let thief = world.open(&cookie(&begun));
    let judged = judging(&thief);
    settled().await;
    held.release();
    regenerated.await.unwrap().unwrap();
    judged.await.unwrap().unwrap();
    assert!(!thief.is_authenticated());
}

#[tokio::test]
async fn a_session_ended_while_its_rotation_waited_is_refused() {
    let world = World::that_rotates();
    let begun = world.signed_in().await;
    world.a_minute_passes();
    let (held, end) = world.end_held(&begun).await;
    let session = world.open(&cookie(&begun));
    let judged = judging(&session);
    settled().await;
    held.release();
    end.await.unwrap().unwrap();
    judged.await.unwrap().unwrap();
    assert!(!session.is_authenticated());
}

#[tokio::test]
async fn a_lost_rotation_and_two_requests_at_once_sign_nobody_out() {
    let world = World::that_rotates();
    let first = cookie(&world.signed_in().await);
    world.a_minute_passes();
    world.judged(&first).await; // rotates, and the answer is lost
    world.clock.advance(Duration::from_secs(40));
    let successor = cookie_set_by(&world.judged(&first).await);
    world.judged(&successor).await;
    settled().await; // the successor was seen
    world.judged(&first).await; // was under way all the while
    settled().await;
    assert!(world.is_good(&successor).await);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_nothing_does_not_bring_back_what_was_forgotten() {
    let world = World::new();
    let ann = world.signed_in().await;
    let bob = world.sessions.begin("bob").await.unwrap();

    // Bob's session is being set aside; behind it wait the end of Ann's sessions and a resumption
    // of hers that changes nothing.
    let held = world.gate.hold(Call::Commit, When::Before);
    let (sessions, id) = (world.sessions.clone(), bob.record.id);
    let suspended = tokio::spawn(async move { sessions.suspend(id, None, None).await });
    held.arrived().await;
    let (sessions, subject) = (world.sessions.clone(), Subject::new("ann").unwrap());
    let ended =
        tokio::spawn(
            async move { sessions.end_all(&subject, None, EndReason::LogoutAll, None).await },
        );
    let (sessions, id) = (world.sessions.clone(), ann.record.id);
    let resumed = tokio::spawn(async move { sessions.resume(id, None).await });
    settled().await;

    // The end arrives, its answer does not, and the store cannot be asked what became of it.
    let next = world.gate.hold(Call::Commit, When::Before);
    held.release();
    next.arrived().await;
    world.gate.fail_next(Call::Commit, Failure::ReplyLost);
    for _ in 0..5 {
        world.gate.fail_next(Call::Load, Failure::Unavailable);
    }
    next.release();
    suspended.await.unwrap().unwrap();
    assert!(ended.await.unwrap().is_err(), "its answer was lost");
    resumed.await.unwrap().unwrap();
    assert!(!world.is_good(&cookie(&ann)).await);
}

#[test]
fn an_end_whose_runtime_was_shut_down_leaves_nothing_good_in_the_cache() {
    let world = World::new();
    let main = tokio::runtime::Runtime::new().unwrap();
    let begun = main.block_on(world.signed_in());
    main.block_on(settled());
    let other = tokio::runtime::Runtime::new().unwrap();
    let held = world.gate.hold(Call::Commit, When::After);
    let (sessions, id) = (world.sessions.clone(), begun.record.id);
    other.spawn(async move { sessions.end(id, EndReason::Admin, None).await });
    main.block_on(held.arrived());
    drop(other);
    assert!(!main.block_on(world.is_good(&cookie(&begun))));
}

#[tokio::test]
async fn sessions_are_listed_after_everybody_was_ended_and_the_program_restarted() {
    let world = World::new();
    world.sessions.end_everybody(None).await.unwrap();
    world.signed_in().await;
    let restarted = manager(&world.gate, SessionConfig::default(), &world.clock);
    let ann = Subject::new("ann").unwrap();
    let listed = restarted.sessions_of(&ann, false, &Page::default()).await.unwrap();
    assert_eq!(listed.records.len(), 1);
}

#[tokio::test]
async fn a_superseded_cookie_still_signs_its_session_out() {
    let world = World::new();
    let begun = world.signed_in().await;
    world.open(&cookie(&begun)).regenerate().await.unwrap();
    world.open(&cookie(&begun)).logout().await.unwrap();
    let record = world.sessions.record(begun.record.id).await.unwrap().unwrap();
    assert!(record.ended.is_some());
}

#[tokio::test]
async fn a_suspended_session_that_signed_out_is_not_revived_by_resuming() {
    let world = World::new();
    let begun = world.signed_in().await;
    world.sessions.suspend(begun.record.id, None, None).await.unwrap();
    world.open(&cookie(&begun)).logout().await.unwrap();
    let _ = world.sessions.resume(begun.record.id, None).await;
    assert!(!world.is_good(&cookie(&begun)).await);
}

#[tokio::test]
async fn an_explicit_commit_that_may_store_nothing_says_so() {
    let world = World::new();
    let begun = world.signed_in().await;
    world.open(&cookie(&begun)).regenerate().await.unwrap();
    let superseded = world.judged(&cookie(&begun)).await;
    superseded.set("cart", &1).unwrap();
    assert!(superseded.commit().await.is_err());
}

#[tokio::test]
async fn signing_in_again_in_the_same_session_takes_the_new_roles() {
    let world = World::with(|settings| settings.regenerate_on_login(false));
    let admin = SignIn::new("ann").unwrap().roles(Roles::new(["admin"]).unwrap());
    let begun = world.sessions.begin(admin).await.unwrap();
    let session = world.open(&cookie(&begun));
    session.login(SignIn::new("ann").unwrap().roles(Roles::none())).await.unwrap();
    assert!(!session.has_role("admin"));
}

#[tokio::test]
async fn first_sight_of_a_session_that_ends_costs_one_commit_at_most() {
    let world = World::new();
    let begun = world.signed_in().await;
    let session = world.open(&cookie(&begun));
    session.regenerate().await.unwrap();
    let successor = cookie_set_by(&session);
    let (held, end) = world.end_held(&begun).await;
    let before = world.gate.counts().commit;
    world.judged(&successor).await;
    held.release();
    end.await.unwrap().unwrap();
    for _ in 0..100 {
        settled().await;
    }
    assert!(world.gate.counts().commit - before < 3);
}
