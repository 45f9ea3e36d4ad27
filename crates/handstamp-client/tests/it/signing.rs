//! Signing in, being a guest, signing out, and what is known of a session.

use std::time::Duration;

use handstamp_client::storage::{Protection, SealedFile};
use handstamp_client::testing::{START, Step, TestServer};
use handstamp_client::{
    AuthCookies, AuthError, AuthEvent, AuthState, AuthTokens, ClientConfig, CookieChanges,
    LinkedSession, Session, SessionManager, SignedOut, Storage, StorageError, UserInfo,
};
use handstamp_protocol::Time;
use url::Url;

use crate::files::Place;
use crate::world::{LIFE, World, name, settle, sign_in, token, told};

fn user(name: &str) -> UserInfo {
    UserInfo { name: Some(name.into()), ..UserInfo::default() }
}

/// A manager over a file, as the shortest constructor makes it.
fn kept_at(place: &Place) -> SessionManager {
    #[cfg(feature = "keyring")]
    {
        static STORE: std::sync::Once = std::sync::Once::new();
        STORE.call_once(|| {
            keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap());
        });
    }
    SessionManager::new(Some(place.path()), true)
}

fn api() -> Url {
    "https://api.example.com/".parse().unwrap()
}

fn cookies(text: &str) -> CookieChanges {
    let mut headers = http::HeaderMap::new();
    headers.insert("set-cookie", text.parse().unwrap());
    AuthCookies::parse_from_headers(&api(), &headers)
}

#[tokio::test]
async fn a01_a_session_loads_by_itself_from_its_file() {
    let place = Place::new();
    let manager = kept_at(&place);
    manager.create_session(AuthTokens::new("a"), Some(user("Ada")), None).await.unwrap();
    drop(manager);
    let manager = kept_at(&place);
    assert_eq!(token(&manager).await, "a");
    assert_eq!(manager.get_session().await.unwrap().name(), Some("Ada"));
}

#[tokio::test]
async fn a01_defect_24_a_damaged_file_is_told_at_the_first_call_and_not_a_sign_out() {
    let place = Place::new();
    std::fs::write(place.path(), b"{}").unwrap();
    let manager = kept_at(&place);
    let mut events = manager.events();
    let error = manager.session().await.unwrap_err();
    assert!(matches!(error, AuthError::Storage(StorageError::Damaged { .. })));
    assert!(!error.needs_sign_in());
    assert_eq!(told(&mut events), ["SetAside"]);
    // It lies aside; the place is free for a new sign-in.
    manager.create_session(AuthTokens::new("a"), None, None).await.unwrap();
    assert_eq!(told(&mut events), ["SignedIn"]);
}

#[tokio::test]
async fn j02_a_key_that_does_not_open_the_file_locks_and_signs_nobody_out() {
    let place = Place::new();
    let manager = kept_at(&place);
    manager.create_session(AuthTokens::new("a"), None, None).await.unwrap();
    let key = handstamp_client::storage::SealingKey::generate().unwrap();
    let storage = SealedFile::new(place.path(), Protection::Key(key));
    let probed = storage.probe();
    assert!(matches!(probed, Err(StorageError::WrongKey | StorageError::NotSealed)));
    let locked = SessionManager::builder().storage(storage).build();
    assert!(locked.restore().await.is_err());
    assert_eq!(name(&locked.state()), "locked");
    assert!(locked.state().is_error());
    let before = std::fs::read(place.path()).unwrap();
    assert!(locked.create_session(AuthTokens::new("b"), None, None).await.is_err());
    assert!(locked.logout().await.is_err());
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
    // Whoever has lost the key says so.
    locked.forget().await.unwrap();
    assert_eq!(name(&locked.state()), "signed out");
    locked.create_session(AuthTokens::new("b"), None, None).await.unwrap();
}

#[tokio::test]
async fn a02_a_session_of_nothing_but_tokens_is_valid() {
    let manager = SessionManager::new(None, true);
    let tokens = AuthTokens::new("a").with_refresh_token("r");
    manager.create_session(tokens, None, None).await.unwrap();
    assert!(manager.is_session_valid().await);
    assert_eq!(manager.get_refresh_token().await.unwrap().expose(), "r");
}

#[tokio::test]
async fn a02_a_session_has_the_user_agent_it_was_made_with() {
    let manager = SessionManager::new(None, true);
    let tokens = AuthTokens::new("a");
    let cookies = Some(cookies("id=x=y; Path=/"));
    manager
        .create_session_with_user_agent(tokens, Some(user("Ada")), cookies, "agent/1")
        .await
        .unwrap();
    let session = manager.get_session().await.unwrap();
    assert_eq!(session.metadata.user_agent.as_deref(), Some("agent/1"));
    assert_eq!(manager.get_cookie_header(&api()).await.unwrap(), "id=x=y");
    let elsewhere = "https://evil.test/".parse().unwrap();
    assert_eq!(manager.get_cookie_header(&elsewhere).await, None);
}

#[tokio::test]
async fn a03_nobody_signed_in_is_said_by_every_getter() {
    let manager = SessionManager::new(None, true);
    assert!(!manager.is_session_valid().await && !manager.needs_refresh().await);
    assert!(manager.get_session().await.is_none() && manager.get_access_token().await.is_none());
    assert!(manager.get_refresh_token().await.is_none());
    assert!(manager.get_cookie_header(&api()).await.is_none());
    assert!(matches!(manager.token().await, Err(AuthError::NotAuthenticated)));
    assert_eq!(manager.get_session_summary().await, "No active session");
    assert_eq!(manager.logout().await.unwrap(), SignedOut::Nobody);
}

#[tokio::test]
async fn a03_a14_a_token_past_its_time_with_nothing_to_renew_it_is_told_as_such() {
    let world = World::new();
    let manager = world.manager();
    let end = Time::from_millis(START.as_millis() + 60_000);
    manager.create_session(AuthTokens::new("a").expiring_at(end), None, None).await.unwrap();
    assert!(manager.is_session_valid().await);
    world.advance(60);
    assert!(!manager.is_session_valid().await && manager.needs_refresh().await);
    let error = manager.token().await.unwrap_err();
    assert!(matches!(error, AuthError::TokenExpired) && error.needs_sign_in());
    assert!(manager.clear_if_expired().await.unwrap());
    assert!(!manager.clear_if_expired().await.unwrap());
}

#[tokio::test]
async fn a05_tokens_and_cookies_that_the_application_got_itself_are_kept() {
    let world = World::new();
    let manager = world.signed_in().await;
    manager.update_tokens(AuthTokens::new("mine").with_refresh_token("r")).await.unwrap();
    manager.update_cookies(cookies("id=1; Path=/")).await.unwrap();
    manager.update_cookies(cookies("id=; Path=/; Max-Age=0")).await.unwrap();
    manager.update_cookies(cookies("other=2; Path=/")).await.unwrap();
    let next = world.manager();
    assert_eq!(token(&next).await, "mine");
    assert_eq!(next.get_cookie_header(&api()).await.unwrap(), "other=2");
}

#[tokio::test]
async fn a06_a_linked_session_is_kept_and_goes_with_ours() {
    let world = World::new();
    let manager = world.signed_in().await;
    manager.link("turnkey", LinkedSession::default()).await.unwrap();
    assert!(manager.get_session_summary().await.contains("| Turnkey: ACTIVE |"));
    assert!(world.manager().get_session().await.unwrap().linked.contains_key("turnkey"));
    manager.logout().await.unwrap();
    assert!(matches!(
        manager.link("turnkey", LinkedSession::default()).await,
        Err(AuthError::NotAuthenticated)
    ));
}

#[tokio::test]
async fn a07_uses_are_noted_and_outlive_the_program() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.advance(180);
    assert_eq!(manager.minutes_since_last_api_call().await, None);
    manager.mark_api_call(Some("api.example.com")).await.unwrap();
    world.advance(125);
    let next = world.manager();
    for manager in [&manager, &next] {
        assert_eq!(manager.session_age_minutes().await, Some(5));
        assert_eq!(manager.minutes_since_last_api_call().await, Some(2));
        let session = manager.get_session().await.unwrap();
        assert_eq!(session.metadata.current_api_server.as_deref(), Some("api.example.com"));
    }
    let summary = manager.get_session_summary().await;
    assert!(summary.ends_with("Age: 5m | Last API: 2m ago"), "{summary}");
}

#[tokio::test]
async fn a07_a_use_within_the_minute_is_in_memory_and_costs_no_write() {
    let world = World::new();
    let manager = world.signed_in().await;
    manager.mark_api_call(None).await.unwrap();
    let before = world.storage.load().unwrap().version;
    for _ in 0..10 {
        world.advance(5);
        manager.mark_api_call(None).await.unwrap();
    }
    assert_eq!(world.storage.load().unwrap().version, before);
    assert_eq!(manager.minutes_since_last_api_call().await, Some(0));
}

fn by_hand(world: &World) -> SessionManager {
    let mut config = ClientConfig::default();
    config.auto_save = false;
    SessionManager::builder()
        .storage(world.storage.clone())
        .backend(world.server.clone())
        .clock(world.clock.clone())
        .config(config)
        .build()
}

#[tokio::test]
async fn a09_without_auto_save_changes_are_kept_when_told_to() {
    let world = World::new();
    let manager = by_hand(&world);
    sign_in(&manager, &world.server).await;
    manager.update_cookies(cookies("id=1; Path=/")).await.unwrap();
    assert!(!manager.is_saved() && world.manager().get_session().await.is_none());
    manager.save_session().await.unwrap();
    assert!(manager.is_saved());
    assert!(world.manager().get_cookie_header(&api()).await.is_some());
    manager.update_cookies(cookies("id=2; Path=/")).await.unwrap();
    manager.load_session().await.unwrap();
    assert_eq!(manager.get_cookie_header(&api()).await.unwrap(), "id=1");
}

#[tokio::test]
async fn a09_renewed_tokens_are_kept_whatever_is_said_about_saving() {
    let world = World::new();
    let manager = by_hand(&world);
    sign_in(&manager, &world.server).await;
    world.let_it_expire();
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(token(&world.manager()).await, "a1");
}

#[tokio::test]
async fn a09_several_changes_at_once_are_kept_once() {
    let world = World::new();
    let manager = world.signed_in().await;
    let mut runs = 0;
    manager
        .update(|session| {
            runs += 1;
            session.user.name = Some("Ada".into());
            session.linked.insert("bank".into(), LinkedSession::default());
        })
        .await
        .unwrap();
    assert_eq!(runs, 1);
    assert_eq!(world.manager().get_session().await.unwrap().name(), Some("Ada"));
}

#[tokio::test]
async fn two_processes_that_change_different_things_both_keep_theirs() {
    let world = World::new();
    let (one, other) = (world.signed_in().await, world.manager());
    other.restore().await.unwrap();
    one.update(|session| session.user.name = Some("Ada".into())).await.unwrap();
    other.update_cookies(cookies("id=1; Path=/")).await.unwrap();
    one.update(|session| session.user.email = Some("a@b.c".into())).await.unwrap();
    let session = world.manager().get_session().await.unwrap();
    assert_eq!((session.name(), session.email()), (Some("Ada"), Some("a@b.c")));
    assert!(session.cookies.header(&api()).is_some());
}

#[tokio::test]
async fn a10_sessions_of_different_files_know_nothing_of_each_other() {
    let (one, other) = (World::new(), World::new());
    let (first, second) = (one.signed_in().await, other.manager());
    assert!(first.is_session_valid().await && !second.is_session_valid().await);
}

#[tokio::test]
async fn j01_a_user_signs_in_and_out() {
    let world = World::new();
    let manager = world.manager();
    let session = Session::new(AuthTokens::new("t"), user("Ada"));
    manager.authenticate_as_user(session).await.unwrap();
    assert_eq!(manager.session().await.unwrap().unwrap().name(), Some("Ada"));
    assert!(!manager.is_guest().await.unwrap());
    assert_eq!(token(&manager).await, "t");
    manager.clear().await.unwrap();
    assert!(manager.session().await.unwrap().is_none());
    assert!(world.manager().session().await.unwrap().is_none());
}

#[tokio::test]
async fn j01_a_failure_to_keep_a_session_is_an_error() {
    let place = Place::new();
    std::fs::create_dir(place.path()).unwrap();
    let manager = kept_at(&place);
    let result = manager.create_session(AuthTokens::new("a"), None, None).await;
    assert!(matches!(result, Err(AuthError::Storage(StorageError::NotAFile))));
}

#[tokio::test]
async fn j03_whoever_watches_sees_each_state_and_is_called_under_no_lock() {
    let world = World::new();
    let manager = world.manager();
    let mut watch = manager.watch();
    assert!(watch.borrow_and_update().is_loading());
    let watcher = {
        let manager = manager.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while watch.changed().await.is_ok() {
                let state = watch.borrow_and_update().clone();
                seen.push(name(&state));
                // Asking the manager from here must not wait for anything.
                let _ = (manager.state(), manager.token().await);
                if matches!(state, AuthState::SignedOut) && seen.len() > 2 {
                    return seen;
                }
            }
            seen
        })
    };
    settle().await;
    manager.restore().await.unwrap();
    settle().await;
    sign_in(&manager, &world.server).await;
    settle().await;
    manager.logout().await.unwrap();
    assert_eq!(watcher.await.unwrap(), ["signed out", "active", "signed out"]);
}

#[tokio::test]
async fn j03_a_listener_that_changes_and_ends_the_session_waits_for_nothing() {
    let world = World::new();
    let manager = world.signed_in().await;
    let mut events = manager.events();
    let listener = {
        let manager = manager.clone();
        tokio::spawn(async move {
            while let Ok(event) = events.recv().await {
                match event {
                    AuthEvent::Refreshed => {
                        manager.update(|it| it.user.name = Some("Ada".into())).await.unwrap();
                        assert_eq!(token(&manager).await, "a1");
                        manager.logout().await.unwrap();
                    }
                    AuthEvent::SignedOut => return,
                    _ => {}
                }
            }
        })
    };
    manager.refresh().await;
    listener.await.unwrap();
    assert_eq!(name(&manager.state()), "signed out");
}

#[tokio::test]
async fn j03_events_are_told_in_order() {
    let world = World::new();
    let manager = world.manager();
    let mut events = manager.events();
    manager.login_as_guest().await.unwrap();
    manager.upgrade_guest(|_| async { Ok::<_, AuthError>(world.server.sign_in()) }).await.unwrap();
    manager.refresh().await;
    manager.logout().await.unwrap();
    settle().await;
    let expected = ["Restored", "SignedIn", "Upgraded", "Refreshed", "SignedOut", "Revoked"];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test]
async fn j06_a_guest_becomes_a_user_and_one_whose_sign_in_fails_stays_a_guest() {
    let world = World::new();
    let manager = world.manager();
    manager.login_as_guest().await.unwrap();
    assert!(manager.is_guest().await.unwrap());
    assert_eq!(name(&manager.state()), "guest");
    let failed = manager
        .upgrade_guest(|_| async { Err::<handstamp_client::Granted, _>(AuthError::TokenExpired) })
        .await;
    assert!(failed.is_err());
    assert_eq!((name(&manager.state()), token(&manager).await.as_str()), ("guest", "a0"));
    manager.login_as_guest().await.unwrap();
    let user = TestServer::new(LIFE);
    let seen = manager
        .upgrade_guest(|guest| {
            assert_eq!(guest.unwrap().expose(), "r0");
            let mut granted = user.sign_in();
            granted.refresh_token = Some("user-r0".into());
            async move { Ok::<_, AuthError>(granted) }
        })
        .await;
    seen.unwrap();
    assert_eq!(name(&manager.state()), "active");
    settle().await;
    assert_eq!(world.server.revoked(), ["r0"]);
}

#[tokio::test]
async fn j09_a11_signing_out_forgets_everything_here_and_tells_the_server() {
    let world = World::new();
    let manager = world.signed_in().await;
    manager.update_cookies(cookies("id=1; Path=/")).await.unwrap();
    assert_eq!(manager.clear_session().await.unwrap(), SignedOut::Everywhere);
    assert_eq!(world.server.revoked(), ["r0"]);
    assert!(world.storage.load().unwrap().version.is_none());
    assert_eq!(name(&manager.state()), "signed out");
}

#[tokio::test]
async fn j09_a_sign_out_that_the_server_did_not_hear_is_told_later_once_also_after_a_restart() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.server.then([Step::Busy(None), Step::Busy(None)]);
    assert_eq!(manager.logout().await.unwrap(), SignedOut::Here);
    assert!(!manager.is_session_valid().await);
    assert!(!manager.deliver_sign_outs().await);
    drop(manager);
    let next = world.manager();
    assert_eq!(name(&next.restore().await.unwrap()), "signed out");
    settle().await;
    assert_eq!(world.server.revoked(), ["r0"]);
    assert_eq!(next.waiting_sign_outs(), 0);
    assert!(next.deliver_sign_outs().await && world.manager().deliver_sign_outs().await);
    assert_eq!(world.server.revoked(), ["r0"]);
}

#[tokio::test]
async fn j09_signing_out_after_the_server_ended_the_session_leaves_nobody_signed_in() {
    let world = World::new();
    let manager = world.signed_in().await;
    world.server.end(handstamp_protocol::sessions::Reason::Revoked);
    manager.refresh().await;
    assert_eq!(name(&manager.state()), "expired");
    assert_eq!(manager.clear().await.unwrap(), SignedOut::Nobody);
    assert_eq!(name(&manager.state()), "signed out");
    assert!(matches!(manager.token().await, Err(AuthError::NotAuthenticated)));
}

#[tokio::test]
async fn a_new_sign_in_ends_the_session_that_it_takes_the_place_of() {
    let world = World::new();
    let manager = world.manager();
    let tokens = AuthTokens::new("a").with_refresh_token("old");
    manager.create_session(tokens, None, None).await.unwrap();
    sign_in(&manager, &world.server).await;
    settle().await;
    assert_eq!(world.server.revoked(), ["old"]);
    assert_eq!(token(&manager).await, "a0");
}

#[tokio::test]
async fn a_sign_out_in_another_process_is_one_here_too() {
    let world = World::new();
    let (one, other) = (world.signed_in().await, world.manager());
    other.restore().await.unwrap();
    one.logout().await.unwrap();
    world.let_it_expire();
    assert!(matches!(other.token().await, Err(AuthError::NotAuthenticated)));
    assert_eq!(name(&other.state()), "signed out");
    assert_eq!(world.server.refreshes(), 0);
}

#[tokio::test]
async fn f06_a_session_is_renewed_in_time_while_it_is_watched_over() {
    let world = World::new();
    let manager = world.signed_in().await;
    let monitoring = manager.initialize_session_monitoring().await.unwrap();
    for round in 1..=5 {
        for _ in 0..30 {
            settle().await;
            world.clock.advance(Duration::from_secs(60));
        }
        settle().await;
        assert!(world.server.refreshes() >= round, "{round}");
    }
    assert_eq!(world.server.ended(), None);
    let so_far = world.server.refreshes();
    drop(monitoring);
    settle().await;
    world.advance(7200);
    settle().await;
    assert_eq!(world.server.refreshes(), so_far);
}

#[tokio::test]
async fn f06_a_user_stays_signed_in_unless_the_server_says_otherwise() {
    let world = World::new();
    assert!(!world.manager().should_stay_logged_in().await.unwrap());
    let manager = world.signed_in().await;
    assert!(manager.should_stay_logged_in().await.unwrap());
    world.let_it_expire();
    world.server.then([Step::Busy(None)]);
    assert!(manager.should_stay_logged_in().await.unwrap());
    assert_eq!(name(&manager.state()), "offline");
    world.advance(10);
    world.server.end(handstamp_protocol::sessions::Reason::Admin);
    assert!(!manager.should_stay_logged_in().await.unwrap());
    assert_eq!(name(&manager.state()), "expired");
}

#[tokio::test]
async fn j03_a_use_of_the_session_is_shown_and_wakes_nobody() {
    let world = World::new();
    let manager = world.signed_in().await;
    let mut watch = manager.watch();
    watch.borrow_and_update();
    for _ in 0..10 {
        world.advance(50);
        manager.mark_api_call(Some("api.example.com")).await.unwrap();
    }
    assert!(!watch.has_changed().unwrap());
    let shown = watch.borrow().session().unwrap().metadata.clone();
    assert_eq!(shown.current_api_server.as_deref(), Some("api.example.com"));
    manager.update(|session| session.user.name = Some("Ada".into())).await.unwrap();
    assert!(watch.has_changed().unwrap());
}
