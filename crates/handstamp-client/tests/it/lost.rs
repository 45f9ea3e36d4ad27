//! A file that is damaged, at the start and while programs have its session in memory.

use std::fs;

use handstamp_client::storage::{Protection, SealedFile, SealingKey, Storage, StorageError};
use handstamp_client::testing::Step;
use handstamp_client::{AuthError, AuthTokens, SessionManager, SignedOut};

use crate::files::Place;
use crate::world::{World, name, settle, sign_in, token, told};

fn file(place: &Place) -> SealedFile {
    SealedFile::new(place.path(), Protection::Key(SealingKey::from_bytes([7; 32])))
}

/// A program of nothing but a file.
fn plain(place: &Place) -> SessionManager {
    SessionManager::builder().storage(SealedFile::new(place.path(), Protection::Plain)).build()
}

fn damage(place: &Place) {
    fs::write(place.path(), b"junk").unwrap();
}

/// A program that is signed in, with a file that was written so often.
async fn signed_in(world: &World, place: &Place, writes: usize) -> SessionManager {
    let manager = world.manager_over(file(place));
    sign_in(&manager, &world.server).await;
    for _ in 1..writes {
        manager.save_session().await.unwrap();
    }
    manager
}

#[tokio::test]
async fn defect_24_a_file_that_is_damaged_under_a_running_program_signs_nobody_out() {
    for writes in [1, 2] {
        let (world, place) = (World::new(), Place::new());
        let manager = signed_in(&world, &place, writes).await;
        let mut events = manager.events();
        damage(&place);
        if writes == 2 {
            fs::write(place.path().with_file_name("session.previous"), b"junk").unwrap();
        }
        world.let_it_expire();
        assert_eq!(token(&manager).await, "a1");
        assert_eq!(told(&mut events), ["SetAside", "Refreshed"]);
        assert_eq!((name(&manager.state()), world.server.ended()), ("active", None));
        // Everything is in order: the next program finds it.
        assert!(manager.is_saved());
        assert_eq!(token(&world.manager_over(file(&place))).await, "a1");
    }
}

#[tokio::test]
async fn defect_24_a_damaged_file_that_another_program_has_met_first_is_not_a_sign_out() {
    let (world, place) = (World::new(), Place::new());
    let manager = signed_in(&world, &place, 1).await;
    let other = world.manager_over(file(&place));
    other.restore().await.unwrap();
    damage(&place);
    assert!(matches!(file(&place).load(), Err(StorageError::Damaged { .. })));
    let mut events = manager.events();
    world.let_it_expire();
    assert_eq!(token(&manager).await, "a1");
    assert_eq!(told(&mut events), ["SetAside", "Refreshed"]);
    assert_eq!(token(&other).await, "a1");
    assert_eq!(world.server.rotations(), 1);
}

#[tokio::test]
async fn defect_24_a_change_after_a_file_was_damaged_is_kept() {
    let (world, place) = (World::new(), Place::new());
    let manager = signed_in(&world, &place, 1).await;
    let mut events = manager.events();
    damage(&place);
    manager.update(|session| session.user.name = Some("Ada".into())).await.unwrap();
    assert_eq!(told(&mut events), ["SetAside"]);
    let next = world.manager_over(file(&place));
    assert_eq!(next.session().await.unwrap().unwrap().name(), Some("Ada"));
}

#[tokio::test]
async fn defect_24_the_write_before_takes_the_place_of_a_damaged_one_and_not_that_of_memory() {
    let (world, place) = (World::new(), Place::new());
    let manager = signed_in(&world, &place, 1).await;
    manager.refresh().await;
    let mut events = manager.events();
    damage(&place);
    world.let_it_expire();
    // The write before the last one has the first tokens, and an attempt.
    assert_eq!(token(&manager).await, "a2");
    assert_eq!(told(&mut events), ["SetAside", "Refreshed"]);
    assert_eq!((world.server.rotations(), world.server.ended()), (2, None));
}

#[tokio::test]
async fn a_sign_out_after_a_file_was_damaged_is_one_for_every_program() {
    let (world, place) = (World::new(), Place::new());
    let manager = signed_in(&world, &place, 1).await;
    let other = world.manager_over(file(&place));
    other.restore().await.unwrap();
    damage(&place);
    assert!(file(&place).load().is_err());
    assert_eq!(manager.logout().await.unwrap(), SignedOut::Everywhere);
    world.let_it_expire();
    assert!(matches!(other.token().await, Err(AuthError::NotAuthenticated)));
    assert_eq!(world.server.revoked(), ["r0"]);
    assert_eq!(place.names(), ["session.lock"]);
}

#[tokio::test]
async fn defect_24_a_sign_out_that_waits_for_the_server_outlives_a_damaged_file() {
    let (world, place) = (World::new(), Place::new());
    let manager = signed_in(&world, &place, 1).await;
    world.server.then([Step::Busy(None)]);
    assert_eq!(manager.logout().await.unwrap(), SignedOut::Here);
    settle().await;
    damage(&place);
    assert!(manager.deliver_sign_outs().await);
    assert_eq!((world.server.revoked(), manager.waiting_sign_outs()), (vec!["r0".to_owned()], 0));
    assert_eq!(place.names(), ["session.lock"]);
}

#[tokio::test]
async fn a01_defect_24_a_damaged_file_is_told_to_whoever_asks_until_somebody_signs_in() {
    let place = Place::new();
    damage(&place);
    let manager = plain(&place);
    let mut events = manager.events();
    // These have no errors to tell it by.
    assert!(!manager.is_session_valid().await && manager.get_session().await.is_none());
    assert!(manager.get_session_summary().await.starts_with("No readable session: "));
    for _ in 0..2 {
        let error = manager.token().await.unwrap_err();
        assert!(matches!(error, AuthError::Storage(StorageError::Damaged { .. })), "{error:?}");
        assert!(manager.logout().await.is_err());
        assert_eq!(name(&manager.state()), "damaged");
        assert!(manager.state().is_error());
    }
    assert_eq!(told(&mut events), ["SetAside"]);
    // Another process signs in.
    let other = plain(&place);
    other.create_session(AuthTokens::new("b"), None, None).await.unwrap();
    assert_eq!(token(&manager).await, "b");
    assert_eq!(name(&manager.state()), "active");
}

#[tokio::test]
async fn a01_whoever_signs_in_or_forgets_is_done_with_a_damaged_file() {
    for signs_in in [false, true] {
        let place = Place::new();
        damage(&place);
        let manager = plain(&place);
        match signs_in {
            true => manager.create_session(AuthTokens::new("a"), None, None).await.unwrap(),
            false => manager.forget().await.unwrap(),
        }
        assert_eq!(manager.session().await.unwrap().is_some(), signs_in);
        let next = plain(&place);
        assert_eq!(next.session().await.unwrap().is_some(), signs_in);
        assert!(manager.logout().await.is_ok());
    }
}
