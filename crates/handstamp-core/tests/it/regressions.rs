//! Defects that were found and mended, each with the sequence that brought it about.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::record::{Client, EndReason};
use handstamp_core::roles::Roles;
use handstamp_core::store::{MemoryStore, Page};
use handstamp_core::testing::{Call, Failure, GateStore, ManualClock, When};
use handstamp_core::time::Timestamp;
use handstamp_core::{
    CookieAction, CookieValue, KeyRing, Presented, Session, SessionConfig, SessionManager, SignIn,
    SignInFailure, Subject,
};

fn a_manager(
    gate: &GateStore<MemoryStore>,
    config: SessionConfig,
    clock: &Arc<ManualClock>,
) -> SessionManager {
    SessionManager::builder(gate.clone(), config, KeyRing::generate().unwrap())
        .clock(Arc::clone(clock))
        .maintenance(false)
        .build()
}
fn clock() -> Arc<ManualClock> {
    ManualClock::at(Timestamp::from_millis(1_700_000_000_000))
}
fn gate() -> GateStore<MemoryStore> {
    GateStore::new(MemoryStore::new())
}
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
fn open(m: &SessionManager, text: &str) -> Session {
    m.open(Presented {
        cookie: CookieValue::One(text.as_bytes()),
        pre_session: None,
        client: Client::default(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_is_lost_when_a_drain_ends_as_a_job_arrives() {
    let m = a_manager(&gate(), SessionConfig::default(), &clock());
    let callers = (0..6).map(|_| {
        let m = m.clone();
        tokio::spawn(async move {
            for _ in 0..10_000 {
                let failure = SignInFailure { reason: "x", ..SignInFailure::default() };
                m.sign_in_failed(failure).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn a_sign_in_at_the_limit_goes_on_when_its_victim_signs_out_meanwhile() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default().edit().limit(Some(1)).build().unwrap(), &c);
    let v = m.begin("u").await.unwrap();
    let held = g.hold(Call::BySubject, When::After);
    let m2 = m.clone();
    let second = tokio::spawn(async move { m2.begin("u").await });
    held.arrived().await;
    assert!(m.end(v.record.id, EndReason::Logout, None).await.unwrap());
    held.release();
    let r = second.await.unwrap();
    assert!(r.is_ok());
}

#[tokio::test]
async fn s23_a_cookie_that_is_sent_counts_as_use_so_nobody_stores_the_response() {
    let (g, c) = (gate(), clock());
    let m = a_manager(
        &g,
        SessionConfig::default()
            .edit()
            .rotate_every(Some(Duration::from_secs(60)))
            .build()
            .unwrap(),
        &c,
    );
    let b = m.begin("u").await.unwrap();
    c.advance(Duration::from_secs(61));
    let s = open(&m, &b.token.to_text());
    s.resolve().await.unwrap();
    let _ = s.finish(true);
    let out = s.outgoing();
    assert!(out.cookie == CookieAction::None || out.was_used);
}

#[tokio::test]
async fn a_cookie_superseded_while_its_rotation_waited_gets_no_successor() {
    let (g, c) = (gate(), clock());
    let m = a_manager(
        &g,
        SessionConfig::default()
            .edit()
            .rotate_every(Some(Duration::from_secs(60)))
            .build()
            .unwrap(),
        &c,
    );
    let b = m.begin("u").await.unwrap();
    let text = b.token.to_text();
    let victim = open(&m, &text);
    victim.resolve().await.unwrap();
    let held = g.hold(Call::Commit, When::Before);
    let v2 = victim.clone();
    let regen = tokio::spawn(async move { v2.regenerate().await });
    held.arrived().await;
    c.advance(Duration::from_secs(61));
    let thief = open(&m, &text);
    let t2 = thief.clone();
    let judged = tokio::spawn(async move { t2.resolve().await });
    settle().await;
    held.release();
    regen.await.unwrap().unwrap();
    judged.await.unwrap().unwrap();
    assert!(!thief.is_authenticated());
}

#[tokio::test]
async fn a_session_ended_while_its_rotation_waited_is_refused() {
    let (g, c) = (gate(), clock());
    let m = a_manager(
        &g,
        SessionConfig::default()
            .edit()
            .rotate_every(Some(Duration::from_secs(60)))
            .build()
            .unwrap(),
        &c,
    );
    let b = m.begin("u").await.unwrap();
    c.advance(Duration::from_secs(61));
    let held = g.hold(Call::Commit, When::Before);
    let (m2, id) = (m.clone(), b.record.id);
    let end = tokio::spawn(async move { m2.end(id, EndReason::Admin, None).await });
    held.arrived().await;
    let s = open(&m, &b.token.to_text());
    let s2 = s.clone();
    let judged = tokio::spawn(async move { s2.resolve().await });
    settle().await;
    held.release();
    end.await.unwrap().unwrap();
    judged.await.unwrap().unwrap();
    assert!(!s.is_authenticated());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_nothing_does_not_bring_back_what_was_forgotten() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default(), &c);
    let a = m.begin("a").await.unwrap();
    let b = m.begin("b").await.unwrap();
    let held = g.hold(Call::Commit, When::Before);
    let (m2, id) = (m.clone(), b.record.id);
    let first = tokio::spawn(async move { m2.suspend(id, None, None).await });
    held.arrived().await;
    let (m2, sub) = (m.clone(), Subject::new("a").unwrap());
    let end = tokio::spawn(async move { m2.end_all(&sub, None, EndReason::LogoutAll, None).await });
    let (m2, id) = (m.clone(), a.record.id);
    let noop = tokio::spawn(async move { m2.resume(id, None).await });
    settle().await;
    let held2 = g.hold(Call::Commit, When::Before);
    held.release();
    held2.arrived().await;
    g.fail_next(Call::Commit, Failure::ReplyLost);
    for _ in 0..5 {
        g.fail_next(Call::Load, Failure::Unavailable);
    }
    held2.release();
    first.await.unwrap().unwrap();
    assert!(end.await.unwrap().is_err(), "its answer was lost");
    noop.await.unwrap().unwrap();
    let again = m.load(&a.token.to_text()).await;
    assert!(again.is_err());
}

#[test]
fn an_end_whose_runtime_was_shut_down_leaves_nothing_good_in_the_cache() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default(), &c);
    let main = tokio::runtime::Runtime::new().unwrap();
    let b = main.block_on(m.begin("u")).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let other = tokio::runtime::Runtime::new().unwrap();
    let held = g.hold(Call::Commit, When::After);
    let (m2, id) = (m.clone(), b.record.id);
    other.spawn(async move { m2.end(id, EndReason::Admin, None).await });
    main.block_on(held.arrived());
    other.shutdown_background();
    std::thread::sleep(Duration::from_millis(100));
    let again = main.block_on(m.load(&b.token.to_text()));
    assert!(again.is_err());
}

#[tokio::test]
async fn a_limit_above_a_page_of_sessions_makes_room_too() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default().edit().limit(Some(1001)).build().unwrap(), &c);
    for _ in 0..1001 {
        m.begin("u").await.unwrap();
    }
    let r = m.begin("u").await;
    assert!(r.is_ok());
}

#[tokio::test]
async fn sessions_are_listed_after_everybody_was_ended_and_the_program_restarted() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default(), &c);
    m.end_everybody(None).await.unwrap();
    m.begin("u").await.unwrap();
    let again = a_manager(&g, SessionConfig::default(), &c);
    let listed =
        again.sessions_of(&Subject::new("u").unwrap(), false, &Page::default()).await.unwrap();
    assert_eq!(listed.records.len(), 1);
}

#[tokio::test]
async fn a_superseded_cookie_still_signs_its_session_out() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default(), &c);
    let b = m.begin("u").await.unwrap();
    let s = open(&m, &b.token.to_text());
    s.regenerate().await.unwrap();
    let old = open(&m, &b.token.to_text());
    let r = old.logout().await;
    let live = m.record(b.record.id).await.unwrap().unwrap();
    assert!(r.is_err() || live.ended.is_some());
}

#[tokio::test]
async fn a_suspended_session_that_signed_out_is_not_revived_by_resuming() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default(), &c);
    let b = m.begin("u").await.unwrap();
    m.suspend(b.record.id, None, None).await.unwrap();
    let r = open(&m, &b.token.to_text()).logout().await;
    m.resume(b.record.id, None).await.ok();
    let again = m.load(&b.token.to_text()).await;
    assert!(r.is_err() || again.is_err());
}

#[tokio::test]
async fn an_explicit_commit_that_may_store_nothing_says_so() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default(), &c);
    let b = m.begin("u").await.unwrap();
    open(&m, &b.token.to_text()).regenerate().await.unwrap();
    let old = open(&m, &b.token.to_text());
    old.resolve().await.unwrap();
    old.set("k", &1).unwrap();
    let r = old.commit().await;
    assert!(r.is_err());
}

#[tokio::test]
async fn a_lost_rotation_and_two_requests_at_once_sign_nobody_out() {
    let (g, c) = (gate(), clock());
    let m = a_manager(
        &g,
        SessionConfig::production()
            .edit()
            .rotate_every(Some(Duration::from_secs(60)))
            .build()
            .unwrap(),
        &c,
    );
    let b = m.begin("u").await.unwrap();
    let gen1 = b.token.to_text();
    c.advance(Duration::from_secs(61));
    open(&m, &gen1).resolve().await.unwrap(); // rotated, response lost
    c.advance(Duration::from_secs(40));
    let p = open(&m, &gen1);
    p.resolve().await.unwrap();
    let CookieAction::Set { value, .. } = p.outgoing().cookie else { panic!() };
    let q = open(&m, &value);
    q.resolve().await.unwrap();
    settle().await; // seen
    let r = open(&m, &gen1); // was under way beside p
    r.resolve().await.unwrap();
    settle().await;
    let again = m.load(&value).await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn signing_in_again_in_the_same_session_takes_the_new_roles() {
    let (g, c) = (gate(), clock());
    let m = a_manager(
        &g,
        SessionConfig::default().edit().regenerate_on_login(false).build().unwrap(),
        &c,
    );
    let b = m.begin(SignIn::new("u").unwrap().roles(Roles::new(["admin"]).unwrap())).await.unwrap();
    let s = open(&m, &b.token.to_text());
    s.login(SignIn::new("u").unwrap().roles(Roles::none())).await.unwrap();
    assert!(!s.has_role("admin"));
}

#[tokio::test]
async fn first_sight_of_a_session_that_ends_costs_one_commit_at_most() {
    let (g, c) = (gate(), clock());
    let m = a_manager(&g, SessionConfig::default(), &c);
    let b = m.begin("u").await.unwrap();
    let s = open(&m, &b.token.to_text());
    s.regenerate().await.unwrap();
    let CookieAction::Set { value, .. } = s.outgoing().cookie else { panic!() };
    let held = g.hold(Call::Commit, When::Before);
    let (m2, id) = (m.clone(), b.record.id);
    let end = tokio::spawn(async move { m2.end(id, EndReason::Admin, None).await });
    held.arrived().await;
    let before = g.counts().commit;
    open(&m, &value).resolve().await.unwrap();
    held.release();
    end.await.unwrap().unwrap();
    for _ in 0..5000 {
        tokio::task::yield_now().await;
    }
    assert!(g.counts().commit - before < 3);
}
