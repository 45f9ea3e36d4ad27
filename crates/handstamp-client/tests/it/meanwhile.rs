//! Somebody else signs in while the server is asked.

use std::sync::{Arc, Mutex};

use handstamp_client::backend::{Answer, RefreshCall};
use handstamp_client::testing::TestServer;
use handstamp_client::{AuthBackend, AuthTokens, Granted, SessionManager, Token};
use tokio::sync::oneshot;

use crate::world::{World, name, settle, token, told};

/// A server that begins guests and ends sessions once it is told to, or this is dropped.
#[derive(Clone)]
struct Slow {
    server: TestServer,
    held: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Slow {
    async fn wait(&self) {
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            let _ = held.await;
        }
    }
}

impl AuthBackend for Slow {
    fn refresh(&self, call: RefreshCall) -> Answer<'_, Granted> {
        self.server.refresh(call)
    }

    fn revoke(&self, refresh_token: Token) -> Answer<'_, ()> {
        self.server.revoke(refresh_token)
    }

    fn begin_guest(&self) -> Answer<'_, Granted> {
        Box::pin(async move {
            self.wait().await;
            let mut granted = self.server.begin_guest().await?;
            granted.refresh_token = Some("r-guest".into());
            Ok(granted)
        })
    }

    fn end_all(&self, _: Token, _: bool) -> Answer<'_, u64> {
        Box::pin(async move {
            self.wait().await;
            Ok(2)
        })
    }
}

/// Programs over one storage, and what lets the server answer.
fn programs<const N: usize>(world: &World) -> (oneshot::Sender<()>, [SessionManager; N]) {
    let (release, held) = oneshot::channel();
    let slow = Slow { server: world.server.clone(), held: Arc::new(Mutex::new(Some(held))) };
    let program = |_| {
        SessionManager::builder()
            .storage(world.storage.clone())
            .backend(slow.clone())
            .clock(world.clock.clone())
            .build()
    };
    (release, std::array::from_fn(program))
}

async fn sign_in(manager: &SessionManager, name: &str) {
    let tokens = AuthTokens::new(name).with_refresh_token(format!("r-{name}"));
    manager.create_session(tokens, None, None).await.unwrap();
}

#[tokio::test]
async fn j06_whoever_signs_in_while_a_guest_session_begins_stays_and_the_guest_ends() {
    // Here, or in another process.
    for who in [0, 1] {
        let world = World::new();
        let (release, programs) = programs::<2>(&world);
        let asking = programs[0].clone();
        let guest = tokio::spawn(async move { asking.login_as_guest().await });
        settle().await;
        sign_in(&programs[who], "bob").await;
        let mut events = programs[0].events();
        release.send(()).unwrap();
        guest.await.unwrap().unwrap();
        settle().await;
        assert_eq!(
            (name(&programs[0].state()), token(&programs[0]).await.as_str()),
            ("active", "bob")
        );
        assert_eq!(world.server.revoked(), ["r-guest"]);
        assert!(!told(&mut events).contains(&"SignedIn".to_owned()));
    }
}

#[tokio::test]
async fn j06_a_user_who_is_signed_in_does_not_become_a_guest() {
    let world = World::new();
    let (release, [manager]) = programs::<1>(&world);
    drop(release);
    sign_in(&manager, "bob").await;
    manager.login_as_guest().await.unwrap();
    settle().await;
    assert_eq!((name(&manager.state()), world.server.revoked()), ("active", vec![]));
    // One whose session nothing makes good again leaves a place.
    let over = AuthTokens::new("over").expiring_at(handstamp_client::testing::START);
    manager.create_session(over, None, None).await.unwrap();
    manager.login_as_guest().await.unwrap();
    assert_eq!(name(&manager.state()), "guest");
}

#[tokio::test]
async fn j06_of_two_processes_that_begin_a_guest_at_once_both_have_the_same() {
    let world = World::new();
    let (release, [one, other]) = programs::<2>(&world);
    let asking = one.clone();
    let slow = tokio::spawn(async move { asking.login_as_guest().await });
    settle().await;
    other.login_as_guest().await.unwrap();
    other.update(|session| session.user.name = Some("the first".into())).await.unwrap();
    release.send(()).unwrap();
    slow.await.unwrap().unwrap();
    settle().await;
    assert_eq!(one.session().await.unwrap().unwrap().name(), Some("the first"));
    assert_eq!(one.waiting_sign_outs(), 0);
}

#[tokio::test]
async fn f07_whoever_signs_in_while_all_devices_are_signed_out_stays() {
    for who in [0, 1] {
        let world = World::new();
        let (release, programs) = programs::<2>(&world);
        sign_in(&programs[0], "ada").await;
        let asking = programs[0].clone();
        let all = tokio::spawn(async move { asking.logout_all_devices().await });
        settle().await;
        sign_in(&programs[who], "bob").await;
        let mut events = programs[0].events();
        release.send(()).unwrap();
        assert_eq!(all.await.unwrap().unwrap(), 2);
        settle().await;
        assert_eq!(token(&programs[0]).await, "bob");
        assert!(!world.server.revoked().contains(&"r-bob".to_owned()));
        assert!(!told(&mut events).contains(&"SignedOut".to_owned()));
    }
}

#[tokio::test]
async fn f07_all_devices_are_signed_out_here_too() {
    let world = World::new();
    let (release, [manager]) = programs::<1>(&world);
    drop(release);
    sign_in(&manager, "ada").await;
    let mut events = manager.events();
    assert_eq!(manager.logout_all_devices().await.unwrap(), 2);
    assert_eq!(name(&manager.state()), "signed out");
    assert_eq!(told(&mut events), ["SignedOut"]);
}
