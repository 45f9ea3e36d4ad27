//! Renewing tokens: once, whoever asks, and without losing a session to anything but the server's
//! own word.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handstamp_client::storage::{Storage, StorageError};
use handstamp_client::testing::{ManualClock, START, Step, TestServer};
use handstamp_client::{AuthError, AuthState, ClientConfig, Outcome, SessionManager};
use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;
use tokio::sync::oneshot;

use crate::world::{Full, World, name, settle, sign_in, token, told};

#[tokio::test]
async fn j07_a_token_past_its_time_is_renewed_before_it_is_handed_out() {
    let world = World::new();
    let manager = world.signed_in().await;
    assert_eq!(token(&manager).await, "a0");
    world.let_it_expire();
    assert_eq!(manager.get_access_token().await.map(|it| it.expose().to_owned()), None);
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(world.server.refreshes(), 1);
    assert!(!manager.needs_refresh().await);
}

#[tokio::test]
async fn j07_a_token_that_is_due_is_handed_out_and_renewed_behind_it() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.advance(1500);
    assert!(manager.needs_refresh().await && manager.is_session_valid().await);
    assert_eq!(token(&manager).await, "a0");
    settle().await;
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(world.server.refreshes(), 1);
}

#[tokio::test]
async fn defect_12_fifty_tasks_that_need_a_token_ask_for_it_once() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.let_it_expire();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { token(&manager).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "a1");
    }
    assert_eq!(world.server.refreshes(), 1);
}

#[tokio::test]
async fn defect_12_of_processes_that_share_a_session_one_renews_it_and_the_others_adopt() {
    let world = World::new();
    let managers = [world.signed_in().await, world.manager(), world.manager(), world.manager()];
    for manager in &managers {
        manager.restore().await.unwrap();
    }
    for round in 1..=10 {
        world.let_it_expire();
        let tasks: Vec<_> = managers
            .iter()
            .cloned()
            .map(|manager| tokio::spawn(async move { token(&manager).await }))
            .collect();
        // Those who wait for the lock look again after a while.
        for _ in 0..8 {
            settle().await;
            world.clock.advance(Duration::from_millis(50));
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), format!("a{round}"));
        }
        assert_eq!(world.server.refreshes(), round);
    }
    assert_eq!(world.server.ended(), None);
}

#[tokio::test]
async fn a_refresh_goes_on_when_nobody_waits_for_it_any_more() {
    let world = World::new();
    let manager = world.signed_in().await;
    let (release, held) = oneshot::channel();
    world.server.then([Step::Hold(held)]);
    world.let_it_expire();
    let asking = manager.clone();
    let caller = tokio::spawn(async move { asking.token().await });
    settle().await;
    caller.abort();
    release.send(()).unwrap();
    settle().await;
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(world.server.refreshes(), 1);
}

#[tokio::test]
async fn b01_ten_answers_that_get_lost_cost_nothing() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.server.then((0..10).map(|_| Step::LoseAnswer));
    for _ in 0..10 {
        let outcome = manager.refresh().await;
        let Outcome::Transient { retry_at } = outcome else { panic!("{outcome:?}") };
        assert!(retry_at > world.now());
        world.advance(500);
    }
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    assert_eq!((world.server.rotations(), world.server.ended()), (1, None));
    assert_eq!(token(&manager).await, "a1");
}

#[test]
fn s81_whoever_comes_after_a_crash_asks_for_the_same_again() {
    // A runtime that is dropped takes its tasks with it, as the end of a process does.
    let process = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let world = World::new();
    process().block_on(async {
        world.signed_in().await;
    });
    for _ in 0..5 {
        let (_never, held) = oneshot::channel::<()>();
        world.server.then([Step::HoldAnswer(held)]);
        process().block_on(async {
            let manager = world.manager();
            let dying = tokio::spawn(async move { manager.refresh().await });
            settle().await;
            assert!(!dying.is_finished());
        });
    }
    process().block_on(async {
        let manager = world.manager();
        assert_eq!(manager.refresh().await, Outcome::Refreshed);
        assert_eq!(token(&manager).await, "a1");
    });
    assert_eq!((world.server.refreshes(), world.server.rotations()), (6, 1));
    assert_eq!(world.server.ended(), None);
}

impl World {
    fn now(&self) -> Time {
        handstamp_client::Clock::now(&self.clock)
    }
}

#[tokio::test]
async fn a14_s93_a_server_that_is_busy_is_left_alone_for_as_long_as_it_asks() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.server.then([Step::Busy(Some(Duration::from_secs(600)))]);
    world.let_it_expire();
    let refused = manager.token().await.unwrap_err();
    let AuthError::Offline { retry_at } = refused else { panic!("{refused:?}") };
    assert_eq!(retry_at.as_seconds() - world.now().as_seconds(), 600);
    for _ in 0..20 {
        assert!(matches!(manager.token().await, Err(AuthError::Offline { .. })));
    }
    assert_eq!(world.server.refreshes(), 1);
    world.advance(599);
    assert!(manager.token().await.is_err());
    world.advance(1);
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(world.server.refreshes(), 2);
}

#[tokio::test]
async fn defect_23_a_server_that_cannot_be_reached_signs_nobody_out() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.server.then((0..30).map(|_| Step::Busy(None)));
    world.advance(1500);
    for _ in 0..30 {
        let _ = manager.refresh().await;
        world.advance(3600);
    }
    assert_eq!(name(&manager.state()), "offline");
    assert!(manager.get_session().await.is_some());
    assert!(world.manager().get_session().await.is_some());
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(name(&manager.state()), "active");
}

#[tokio::test]
async fn a_network_that_is_gone_for_longer_than_a_token_lives_costs_one_refresh_when_it_is_back() {
    let world = World::new();
    let manager = world.signed_in().await;
    let monitoring = manager.initialize_session_monitoring().await.unwrap();
    world.server.then((0..1000).map(|_| Step::Busy(None)));
    // Three times the life of a token, minute by minute, while tasks want tokens.
    for _ in 0..90 {
        settle().await;
        world.advance(60);
        let _ = manager.token().await;
    }
    assert_eq!(name(&manager.state()), "offline");
    assert!(manager.session().await.unwrap().is_some() && manager.is_session_valid().await);
    let tried = world.server.refreshes();
    // Waits that double up to five minutes, and not a try for each of the ninety tokens.
    assert!(tried < 40, "{tried}");
    world.server.forgive();
    world.advance(600);
    settle().await;
    assert_eq!((name(&manager.state()), token(&manager).await.as_str()), ("active", "a1"));
    assert_eq!((world.server.refreshes(), world.server.rotations()), (tried + 1, 1));
    drop(monitoring);
}

#[tokio::test]
async fn a_machine_that_slept_through_the_expiry_renews_once_on_waking() {
    let world = World::new();
    let manager = world.signed_in().await;
    let monitoring = manager.initialize_session_monitoring().await.unwrap();
    for round in 1..=3 {
        settle().await;
        world.advance(10 * 3600);
        settle().await;
        assert_eq!(token(&manager).await, format!("a{round}"));
        settle().await;
        assert_eq!(world.server.refreshes(), round);
    }
    drop(monitoring);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_in_time() {
    let world = World::new();
    let manager = world.signed_in().await;
    let (_never, held) = oneshot::channel();
    world.server.then([Step::Hold(held)]);
    let asking = manager.clone();
    let outcome = tokio::spawn(async move { asking.refresh().await });
    settle().await;
    assert_eq!(name(&manager.state()), "refreshing");
    world.advance(10);
    assert!(matches!(outcome.await.unwrap(), Outcome::Transient { .. }));
    assert_eq!(name(&manager.state()), "active");
}

#[tokio::test]
async fn the_servers_word_about_the_present_tokens_ends_the_session_with_its_reason() {
    let world = World::new();
    let manager = world.signed_in().await;
    let mut events = manager.events();
    world.server.end(Reason::Revoked);
    let rejected = Outcome::Rejected { reason: Some(Reason::Revoked) };
    assert_eq!(manager.refresh().await, rejected);
    let AuthState::Expired { reason } = manager.state() else { panic!() };
    assert_eq!(reason, Some(Reason::Revoked));
    assert!(matches!(manager.token().await, Err(AuthError::Ended { reason: Some(_) })));
    assert!(world.manager().get_session().await.is_none());
    assert_eq!(told(&mut events), ["Expired"]);
}

#[tokio::test]
async fn defect_12_a_refusal_of_tokens_that_another_process_has_renewed_ends_nothing() {
    let world = World::new();
    let mut config = ClientConfig::default();
    config.answer_within = Duration::from_secs(60);
    let process = || {
        let builder = SessionManager::builder().storage(world.storage.clone());
        let builder = builder.backend(world.server.clone()).clock(world.clock.clone());
        builder.config(config.clone()).build()
    };
    let (slow, quick) = (process(), process());
    sign_in(&slow, &world.server).await;
    quick.restore().await.unwrap();
    let (release, held) = oneshot::channel();
    world.server.then([Step::HoldAnswer(held), Step::Refuse(Reason::Reuse)]);
    let refreshing = |manager: &SessionManager| {
        let manager = manager.clone();
        tokio::spawn(async move { manager.refresh().await })
    };
    // The slow one has asked, the server has renewed, and the answer is on its way.
    let first = refreshing(&slow);
    settle().await;
    // The quick one gives up waiting for the lock, goes ahead and is refused.
    let second = refreshing(&quick);
    while world.server.refreshes() < 2 {
        settle().await;
        world.clock.advance(Duration::from_millis(50));
    }
    settle().await;
    assert!(!second.is_finished(), "it looks once more before it believes that");
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Outcome::Refreshed);
    world.clock.advance(Duration::from_millis(50));
    assert_eq!(second.await.unwrap(), Outcome::Adopted);
    assert_eq!((world.server.ended(), world.server.refreshes()), (None, 2));
    assert_eq!((token(&slow).await, token(&quick).await), ("a1".to_owned(), "a1".to_owned()));
}

#[tokio::test]
async fn defect_13_a_holder_of_the_lock_that_was_stopped_holds_nobody_up_for_ever() {
    let world = World::new();
    let manager = world.signed_in().await;
    let _stopped = world.storage.try_lock().unwrap();
    world.let_it_expire();
    let asking = manager.clone();
    let outcome = tokio::spawn(async move { asking.refresh().await });
    for _ in 0..400 {
        settle().await;
        world.clock.advance(Duration::from_millis(50));
    }
    // With attempt ids it is safe to ask beside it.
    assert_eq!(outcome.await.unwrap(), Outcome::Refreshed);
}

#[tokio::test]
async fn without_attempt_ids_nobody_asks_while_another_process_may_have_asked() {
    let world = World::new();
    let server = world.server.clone().without_attempts();
    let manager = world.signed_in().await;
    let stopped = world.storage.try_lock().unwrap();
    let asking = manager.clone();
    let outcome = tokio::spawn(async move { asking.refresh().await });
    for _ in 0..400 {
        settle().await;
        world.clock.advance(Duration::from_millis(50));
    }
    assert!(matches!(outcome.await.unwrap(), Outcome::Transient { .. }));
    assert_eq!(server.refreshes(), 0);
    drop(stopped);
    world.advance(10);
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
}

#[tokio::test]
async fn a_sign_out_while_tokens_are_renewed_stays_one_and_what_comes_is_revoked() {
    let world = World::new();
    let manager = world.signed_in().await;
    let (release, held) = oneshot::channel();
    world.server.then([Step::Hold(held)]);
    let asking = manager.clone();
    let outcome = tokio::spawn(async move { asking.refresh().await });
    settle().await;
    manager.logout().await.unwrap();
    assert_eq!(name(&manager.state()), "signed out");
    release.send(()).unwrap();
    assert!(matches!(outcome.await.unwrap(), Outcome::Rejected { .. }));
    settle().await;
    assert_eq!(name(&manager.state()), "signed out");
    assert_eq!(world.server.revoked(), ["r0", "r1"]);
    assert!(world.storage.load().unwrap().version.is_none());
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_minutes_or_hours_renews_in_time_all_the_same() {
    for minutes in [-300_i64, -10, 10, 300] {
        let world = World::new();
        let manager = world.manager();
        world.server.set_date(Time::from_millis(START.as_millis() + minutes * 60_000));
        sign_in(&manager, &world.server).await;
        assert!(!manager.needs_refresh().await && manager.is_session_valid().await);
        world.advance(1440);
        assert!(!manager.needs_refresh().await, "{minutes}");
        assert_eq!((token(&manager).await.as_str(), world.server.refreshes()), ("a0", 0));
        world.advance(60);
        assert!(manager.needs_refresh().await, "{minutes}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_years_ends_no_session() {
    let world = World::new();
    let manager = world.manager();
    let mut granted = world.server.sign_in();
    granted.refresh_expires_in = Some(Duration::from_secs(3600));
    manager.create_session_from_login_result(granted, None).await.unwrap();
    world.advance(10 * 365 * 86_400);
    assert!(!manager.is_session_valid().await);
    // The server knows better, and is asked.
    assert_eq!(token(&manager).await, "a1");
}

#[tokio::test]
async fn tokens_that_are_over_when_they_come_are_no_reason_to_sign_in_again() {
    let world = World { server: TestServer::new(Duration::ZERO), ..World::new() };
    let manager = world.signed_in().await;
    let refused = manager.token().await.unwrap_err();
    assert!(matches!(refused, AuthError::Offline { .. }) && !refused.needs_sign_in());
    assert!(world.server.refreshes() <= 3);
    assert!(manager.session().await.unwrap().is_some());
}

#[tokio::test]
async fn a_token_without_an_end_is_renewed_by_nobody_but_the_application() {
    let world = World::new();
    let manager = world.manager();
    let tokens = handstamp_client::AuthTokens::new("a").with_refresh_token("r0");
    manager.create_session(tokens, None, None).await.unwrap();
    world.advance(1_000_000);
    assert!(manager.is_session_valid().await && !manager.needs_refresh().await);
    assert_eq!(token(&manager).await, "a");
}

#[tokio::test]
async fn trouble_with_what_is_kept_is_told_as_such_and_not_as_a_server_out_of_reach() {
    let world = World::new();
    let room = Arc::new(AtomicUsize::new(1));
    let manager = world.manager_over(Full(world.storage.clone(), Arc::clone(&room)));
    sign_in(&manager, &world.server).await;
    world.let_it_expire();
    // Also while the next try is put off.
    for _ in 0..3 {
        let error = manager.token().await.unwrap_err();
        assert!(matches!(error, AuthError::Storage(StorageError::Io(_))), "{error:?}");
    }
    let Outcome::Blocked { cause, .. } = manager.refresh().await else { panic!() };
    assert!(matches!(&*cause, StorageError::Io(it) if it.kind() == ErrorKind::StorageFull));
    assert_eq!((world.server.refreshes(), name(&manager.state())), (0, "active"));
    // Half a minute after somebody has made room it goes on, however long it took.
    world.advance(86_400);
    assert!(manager.token().await.is_err());
    room.store(9, Ordering::SeqCst);
    world.advance(45);
    assert_eq!(token(&manager).await, "a1");
}

#[tokio::test]
async fn tokens_without_a_life_are_not_renewed_without_a_pause() {
    let world = World { server: TestServer::new(Duration::ZERO), ..World::new() };
    let manager = world.signed_in().await;
    let monitoring = manager.initialize_session_monitoring().await.unwrap();
    for _ in 0..600 {
        settle().await;
        world.clock.advance(Duration::from_millis(100));
    }
    // A minute, in which it is asked after 1 s, 2 s, 4 s and so on.
    assert!((2..=8).contains(&world.server.refreshes()), "{}", world.server.refreshes());
    assert!(manager.session().await.unwrap().is_some());
    drop(monitoring);
}

#[tokio::test]
async fn a_refresh_token_that_comes_after_the_application_renewed_the_access_token_is_kept() {
    let world = World::new();
    let server = world.server.clone().without_attempts();
    let manager = world.signed_in().await;
    let (release, held) = oneshot::channel();
    server.then([Step::HoldAnswer(held)]);
    let asking = manager.clone();
    let outcome = tokio::spawn(async move { asking.refresh().await });
    settle().await;
    manager.update_tokens(handstamp_client::AuthTokens::new("mine")).await.unwrap();
    release.send(()).unwrap();
    assert_eq!(outcome.await.unwrap(), Outcome::Adopted);
    assert_eq!(token(&manager).await, "mine");
    assert_eq!(manager.get_refresh_token().await.unwrap().expose(), "r1");
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    assert_eq!((token(&manager).await.as_str(), server.ended()), ("a2", None));
}

#[tokio::test]
async fn a_clock_that_was_put_back_since_hands_out_no_token_that_may_be_dead() {
    // The server tells its time, or does not.
    for tells in [true, false] {
        let world = World::new();
        let ahead = ManualClock::new();
        ahead.advance(Duration::from_secs(3600));
        if tells {
            world.server.set_date(START);
        }
        let over = |clock: &ManualClock| {
            let builder = SessionManager::builder().storage(world.storage.clone());
            builder.backend(world.server.clone()).clock(clock.clone()).build()
        };
        sign_in(&over(&ahead), &world.server).await;
        // Fifty minutes later: tokens live for thirty.
        world.advance(3000);
        let next = over(&world.clock);
        world.server.set_date(world.now());
        next.restore().await.unwrap();
        assert_eq!(next.get_access_token().await.map(|it| it.expose().to_owned()), None);
        assert!(next.needs_refresh().await && next.is_session_valid().await);
        for _ in 0..3 {
            assert_eq!(token(&next).await, "a1");
        }
        assert_eq!(world.server.refreshes(), 1);
    }
}

#[tokio::test]
async fn nothing_is_asked_for_that_could_not_be_written_down_first() {
    let world = World::new();
    let room = Arc::new(AtomicUsize::new(1));
    let manager = world.manager_over(Full(world.storage.clone(), Arc::clone(&room)));
    sign_in(&manager, &world.server).await;
    assert!(matches!(manager.refresh().await, Outcome::Blocked { .. }));
    assert_eq!(world.server.refreshes(), 0);
    room.store(9, Ordering::SeqCst);
    world.advance(10);
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
}

#[tokio::test]
async fn tokens_that_could_not_be_kept_are_used_and_asked_for_again_after_a_restart() {
    let world = World::new();
    let room = Arc::new(AtomicUsize::new(2));
    let manager = world.manager_over(Full(world.storage.clone(), Arc::clone(&room)));
    sign_in(&manager, &world.server).await;
    let mut events = manager.events();
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    assert_eq!(told(&mut events), ["NotKept", "Refreshed"]);
    assert_eq!(token(&manager).await, "a1");
    assert!(!manager.is_saved());
    drop(manager);
    let next = world.manager();
    world.let_it_expire();
    assert_eq!(token(&next).await, "a1");
    assert_eq!((world.server.rotations(), world.server.ended()), (1, None));
}
