//! What a server granted and what could not be kept: given back, once, and told.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handstamp_client::testing::{Step, TestServer};
use handstamp_client::{AuthError, BackendError, Granted, SessionManager, StorageError};
use tokio::sync::oneshot;

use crate::world::{Full, LIFE, World, name, settle, sign_in, token, told};

/// A manager on a disk that has room for so many writes.
fn on_a_disk_for(writes: usize, world: &World) -> (SessionManager, Arc<AtomicUsize>) {
    let room = Arc::new(AtomicUsize::new(writes));
    (world.manager_over(Full(world.storage.clone(), Arc::clone(&room))), room)
}

fn is_full(error: &StorageError) -> bool {
    matches!(error, StorageError::Io(error) if error.kind() == ErrorKind::StorageFull)
}

/// Both halves of an error for what was not kept.
#[track_caller]
fn halves(error: AuthError) -> Result<(), BackendError> {
    let AuthError::NotKept { cause, revoked } = error else { panic!("{error:?}") };
    assert!(is_full(&cause));
    revoked
}

/// Somebody else's sign-in: a server of its own, so that its tokens are no guest's.
fn user() -> Granted {
    Granted { refresh_token: Some("user-r0".into()), ..TestServer::new(LIFE).sign_in() }
}

#[tokio::test]
async fn j01_a_sign_in_that_cannot_be_kept_is_given_back_once_and_both_is_said() {
    let world = World::new();
    let (manager, room) = on_a_disk_for(0, &world);
    let mut events = manager.events();
    let signed_in = manager.create_session_from_login_result(world.server.sign_in(), None).await;
    let error = signed_in.unwrap_err();
    assert_eq!(error.to_string(), "the new session could not be kept, and was ended at the server");
    assert!(error.source().is_some_and(|it| it.downcast_ref::<StorageError>().is_some()));
    halves(error).unwrap();
    settle().await;
    assert_eq!(world.server.revoked(), ["r0"]);
    assert_eq!((name(&manager.state()), manager.waiting_sign_outs()), ("signed out", 0));
    assert_eq!(told(&mut events), ["Restored"]);
    assert!(manager.is_saved(), "nothing waits for a better day");
    room.store(9, Ordering::SeqCst);
    sign_in(&manager, &world.server).await;
    assert_eq!(token(&manager).await, "a0");
}

#[tokio::test]
async fn j06_a_guest_that_cannot_be_kept_is_given_back_once() {
    let world = World::new();
    let (manager, _room) = on_a_disk_for(0, &world);
    halves(manager.login_as_guest().await.unwrap_err()).unwrap();
    settle().await;
    assert_eq!(world.server.revoked(), ["r0"]);
    assert!(!manager.is_guest().await.unwrap());
}

#[tokio::test]
async fn j06_an_upgrade_that_cannot_be_kept_is_given_back_and_leaves_the_guest() {
    let world = World::new();
    let (manager, room) = on_a_disk_for(2, &world);
    manager.login_as_guest().await.unwrap();
    let upgraded = manager.upgrade_guest(|_| async { Ok::<_, AuthError>(user()) }).await;
    halves(upgraded.unwrap_err()).unwrap();
    settle().await;
    assert_eq!(world.server.revoked(), ["user-r0"]);
    assert_eq!((name(&manager.state()), token(&manager).await.as_str()), ("guest", "a0"));
    room.store(9, Ordering::SeqCst);
    let next = world.manager();
    assert!(next.is_guest().await.unwrap(), "and not in memory alone");
}

#[tokio::test]
async fn j06_nobody_is_asked_to_upgrade_a_guest_where_nothing_can_be_kept() {
    let world = World::new();
    let (manager, _room) = on_a_disk_for(1, &world);
    manager.login_as_guest().await.unwrap();
    let asked = AtomicUsize::new(0);
    let upgraded = manager.upgrade_guest(|_| {
        asked.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, AuthError>(user()) }
    });
    assert!(matches!(upgraded.await, Err(AuthError::Storage(error)) if is_full(&error)));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert_eq!((name(&manager.state()), world.server.revoked().len()), ("guest", 0));
}

#[tokio::test]
async fn what_cannot_be_given_back_is_told_and_asked_for_once() {
    let world = World::new();
    let (manager, _room) = on_a_disk_for(0, &world);
    world.server.then([Step::Busy(None)]);
    let signed_in = manager.create_session_from_login_result(world.server.sign_in(), None).await;
    let error = signed_in.unwrap_err();
    assert!(error.to_string().contains("may live on at the server"), "{error}");
    assert!(matches!(halves(error), Err(BackendError::Transient { .. })));
    settle().await;
    assert!(world.server.revoked().is_empty());
    assert_eq!(name(&manager.state()), "signed out");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    let world = World::new();
    let (manager, _room) = on_a_disk_for(0, &world);
    let (_silent, held) = oneshot::channel();
    world.server.then([Step::Hold(held)]);
    let granted = world.server.sign_in();
    let signing = tokio::spawn(async move {
        manager.create_session_from_login_result(granted, None).await.unwrap_err()
    });
    while !signing.is_finished() {
        settle().await;
        world.clock.advance(Duration::from_secs(1));
    }
    assert!(matches!(halves(signing.await.unwrap()), Err(BackendError::Transient { .. })));
}

#[tokio::test]
async fn the_tokens_that_are_there_are_not_given_back_with_the_same_ones() {
    let world = World::new();
    let (manager, _room) = on_a_disk_for(1, &world);
    sign_in(&manager, &world.server).await;
    let again = manager.create_session_from_login_result(world.server.sign_in(), None).await;
    assert!(matches!(again, Err(AuthError::Storage(error)) if is_full(&error)));
    settle().await;
    assert!(world.server.revoked().is_empty());
    assert_eq!(token(&manager).await, "a0");
}
