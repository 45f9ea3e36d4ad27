//! The client of this house against the service of this house.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handstamp_client::backend::{Answer, RefreshCall};
use handstamp_client::{
    AuthBackend, AuthError, AuthState, BackendError, BoxFuture, Clock, Granted, HandstampBackend,
    MemoryStorage, Outcome, SessionManager, SignedOut, Token,
};
use handstamp_core::time::{Clock as _, ManualClock};
use handstamp_protocol::Time;
use handstamp_protocol::logs::LogList;
use handstamp_protocol::sessions::{Reason, SessionList};
use handstamp_protocol::status::Status;
use reqwest::Method;
use serde_json::json;

use crate::world::{World, send};

/// The clock of the service, as the client's.
#[derive(Clone)]
struct Shared(Arc<ManualClock>);

impl Clock for Shared {
    fn now(&self) -> Time {
        Time::from_millis(self.0.now().as_millis())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().as_millis()).unwrap())
    }

    /// Who waits here waits for an answer, in real time.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

/// The way to the service, on which answers can get lost. The service sets `Date` by the clock of
/// the system and not by that of the test, so it is left out.
#[derive(Clone)]
struct Way {
    service: HandstampBackend,
    losses: Arc<AtomicUsize>,
    is_cut: Arc<AtomicUsize>,
}

impl Way {
    fn to(world: &World) -> Self {
        let service = HandstampBackend::new(&world.url).unwrap();
        Self { service, losses: Arc::default(), is_cut: Arc::default() }
    }

    fn check(&self) -> Result<(), BackendError> {
        match self.is_cut.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(BackendError::passing()),
        }
    }
}

impl AuthBackend for Way {
    fn refresh(&self, call: RefreshCall) -> Answer<'_, Granted> {
        Box::pin(async move {
            self.check()?;
            let granted = self.service.refresh(call).await?;
            let lost = |left: usize| left.checked_sub(1);
            match self.losses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lost) {
                Ok(_) => Err(BackendError::passing()),
                Err(_) => Ok(Granted { date: None, ..granted }),
            }
        })
    }

    fn is_repeatable(&self) -> bool {
        self.service.is_repeatable()
    }

    fn revoke(&self, refresh_token: Token) -> Answer<'_, ()> {
        Box::pin(async move {
            self.check()?;
            self.service.revoke(refresh_token).await
        })
    }

    fn begin_guest(&self) -> Answer<'_, Granted> {
        Box::pin(async move { Ok(Granted { date: None, ..self.service.begin_guest().await? }) })
    }

    fn status(&self, access_token: Token) -> Answer<'_, Status> {
        self.service.status(access_token)
    }

    fn sessions(&self, access_token: Token, cursor: Option<String>) -> Answer<'_, SessionList> {
        self.service.sessions(access_token, cursor)
    }

    fn logs(&self, access_token: Token, cursor: Option<String>) -> Answer<'_, LogList> {
        self.service.logs(access_token, cursor)
    }

    fn end_all(&self, access_token: Token, except_current: bool) -> Answer<'_, u64> {
        self.service.end_all(access_token, except_current)
    }

    fn end(&self, access_token: Token, id: String) -> Answer<'_, bool> {
        self.service.end(access_token, id)
    }
}

/// A device: what is kept on it, and the way from it to the service.
struct Device {
    storage: MemoryStorage,
    way: Way,
    clock: Shared,
}

impl Device {
    fn of(world: &World) -> Self {
        let clock = Shared(Arc::clone(&world.clock));
        Self { storage: MemoryStorage::new(), way: Way::to(world), clock }
    }

    /// A program on it.
    fn start(&self) -> SessionManager {
        SessionManager::builder()
            .storage(self.storage.clone())
            .backend(self.way.clone())
            .clock(self.clock.clone())
            .build()
    }

    async fn sign_in(&self, world: &World) -> SessionManager {
        let user = json!({ "subject": "ada", "name": "Ada", "email": "ada@example.com" });
        let manager = self.start();
        let answer = world.begin_with(user).await;
        manager.create_session_from_login_result(answer, None).await.unwrap();
        manager
    }
}

async fn token(manager: &SessionManager) -> String {
    manager.token().await.unwrap().expose().to_owned()
}

async fn id(manager: &SessionManager) -> String {
    manager.session().await.unwrap().unwrap().id.clone().unwrap()
}

#[tokio::test]
async fn j05_a_session_of_the_service_is_known_with_its_user() {
    let world = World::new().await;
    let manager = Device::of(&world).sign_in(&world).await;
    let session = manager.session().await.unwrap().unwrap();
    assert_eq!((session.name(), session.email()), (Some("Ada"), Some("ada@example.com")));
    assert_eq!(session.user.subject.as_deref(), Some("ada"));
    assert!(!session.is_guest && session.id.is_some());
}

#[tokio::test]
async fn f05_j07_two_programs_of_one_device_are_signed_in_all_day_and_renew_once_each_time() {
    let world = World::new().await;
    let device = Device::of(&world);
    let programs = [device.sign_in(&world).await, device.start()];
    for _ in 0..24 {
        world.advance(1500);
        for program in &programs {
            program.mark_api_call(None).await.unwrap();
            token(program).await;
            let mut states = program.watch();
            states.wait_for(|state| !matches!(state, AuthState::Refreshing(_))).await.unwrap();
        }
        let (one, other) = (token(&programs[0]).await, token(&programs[1]).await);
        assert_eq!(one, other);
        assert_eq!(world.status(&one).await.json["is_active"], true);
    }
    let session = programs[0].session().await.unwrap().unwrap();
    assert_eq!(session.generation(), 24);
}

#[tokio::test]
async fn b01_ten_answers_of_the_service_that_get_lost_cost_nothing() {
    let world = World::new().await;
    let device = Device::of(&world);
    device.sign_in(&world).await;
    device.way.losses.store(10, Ordering::SeqCst);
    for _ in 0..10 {
        // Each time the program is started anew: what it has is what it wrote down.
        let outcome = device.start().refresh().await;
        assert!(matches!(outcome, Outcome::Transient { .. }), "{outcome:?}");
        world.advance(60);
    }
    let manager = device.start();
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    assert_eq!(world.status(&token(&manager).await).await.json["is_active"], true);
    assert_eq!(manager.session().await.unwrap().unwrap().generation(), 1);
    world.advance(1800);
    token(&manager).await;
}

#[tokio::test]
async fn f07_a_holder_sees_and_ends_his_sessions() {
    let world = World::new().await;
    let (phone, laptop) = (Device::of(&world), Device::of(&world));
    let (phone, laptop) = (phone.sign_in(&world).await, laptop.sign_in(&world).await);
    assert!(phone.session_status().await.unwrap().is_active());
    let sessions = phone.user_sessions(None).await.unwrap().sessions;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|session| session.is_current).count(), 1);
    let logs = phone.session_logs(None).await.unwrap().logs;
    assert_eq!(logs.iter().filter(|line| line.action == "login").count(), 2);
    assert!(phone.end_session(&id(&laptop).await).await.unwrap());
    assert!(!laptop.should_stay_logged_in().await.unwrap());
    let AuthState::Expired { reason } = laptop.state() else { panic!("{:?}", laptop.state()) };
    assert_eq!(reason, Some(Reason::Revoked));
    assert!(phone.should_stay_logged_in().await.unwrap());
}

#[tokio::test]
async fn f07_all_devices_are_signed_out_at_once() {
    let world = World::new().await;
    let (phone, laptop) = (Device::of(&world), Device::of(&world));
    let (phone, laptop) = (phone.sign_in(&world).await, laptop.sign_in(&world).await);
    assert_eq!(phone.logout_other_devices().await.unwrap(), 1);
    assert!(!laptop.should_stay_logged_in().await.unwrap());
    assert_eq!(phone.logout_all_devices().await.unwrap(), 1);
    assert!(matches!(phone.state(), AuthState::SignedOut));
    assert_eq!(phone.waiting_sign_outs(), 0);
}

#[tokio::test]
async fn f07_a11_signing_out_ends_the_session_of_the_service() {
    let world = World::new().await;
    let device = Device::of(&world);
    let manager = device.sign_in(&world).await;
    let access = token(&manager).await;
    assert_eq!(manager.logout().await.unwrap(), SignedOut::Everywhere);
    assert_eq!(world.status(&access).await.json["is_active"], false);
}

#[tokio::test]
async fn j09_a_sign_out_without_a_network_reaches_the_service_when_there_is_one() {
    let world = World::new().await;
    let device = Device::of(&world);
    let manager = device.sign_in(&world).await;
    let access = token(&manager).await;
    device.way.is_cut.store(1, Ordering::SeqCst);
    assert_eq!(manager.logout().await.unwrap(), SignedOut::Here);
    assert_eq!(world.status(&access).await.json["is_active"], true);
    device.way.is_cut.store(0, Ordering::SeqCst);
    assert!(device.start().deliver_sign_outs().await);
    assert_eq!(world.status(&access).await.json["is_active"], false);
}

#[tokio::test]
async fn f06_a_session_goes_on_after_a_restart_and_is_told_to_be_over_where_it_is() {
    let world = World::new().await;
    let device = Device::of(&world);
    device.sign_in(&world).await;
    let manager = device.start();
    let monitoring = manager.initialize_session_monitoring().await.unwrap();
    assert!(matches!(manager.state(), AuthState::Active(_)));
    drop(monitoring);
    let ended = json!({ "ids": [id(&manager).await] });
    let end = world.request(Method::POST, "/admin/sessions/end").bearer_auth(&world.admin);
    assert_eq!(send(end.json(&ended)).await.status, 200);
    let next = device.start();
    let _monitoring = next.initialize_session_monitoring().await.unwrap();
    let AuthState::Expired { reason } = next.state() else { panic!("{:?}", next.state()) };
    assert_eq!(reason, Some(Reason::Admin));
    assert!(matches!(next.token().await, Err(AuthError::Ended { .. })));
}

#[tokio::test]
async fn f06_defect_23_without_a_network_nobody_is_signed_out() {
    let world = World::new().await;
    let device = Device::of(&world);
    device.sign_in(&world).await;
    device.way.is_cut.store(1, Ordering::SeqCst);
    world.advance(1800);
    let manager = device.start();
    assert!(manager.should_stay_logged_in().await.unwrap());
    assert!(matches!(manager.state(), AuthState::Offline(_)));
    device.way.is_cut.store(0, Ordering::SeqCst);
    world.advance(60);
    assert_eq!(world.status(&token(&manager).await).await.json["is_active"], true);
}

#[tokio::test]
async fn j06_a_guest_of_the_service_becomes_a_user_with_what_it_had() {
    let world = World::with(&[("guests.enabled", "true")]).await;
    let device = Device::of(&world);
    let manager = device.start();
    manager.login_as_guest().await.unwrap();
    assert!(manager.is_guest().await.unwrap());
    let guest = id(&manager).await;
    let upgraded = manager.upgrade_guest(|token| {
        let token = token.unwrap().expose().to_owned();
        let world = &world;
        async move {
            let user = json!({ "subject": "ada", "upgrade_from": token });
            Ok::<_, AuthError>(world.begin_with(user).await)
        }
    });
    upgraded.await.unwrap();
    assert!(!manager.is_guest().await.unwrap());
    assert_ne!(id(&manager).await, guest);
    assert_eq!(world.status(&token(&manager).await).await.json["user_id"], "ada");
    assert_eq!(manager.user_sessions(None).await.unwrap().sessions.len(), 1);
}
