//! Calls that are on their way, while somebody else signs in, or for ever.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use handstamp_client::backend::{Answer, RefreshCall};
use handstamp_client::http::HttpClient;
use handstamp_client::testing::TestServer;
use handstamp_client::{
    AuthBackend, AuthError, AuthTokens, BackendError, Granted, SessionManager, Token,
};
use reqwest::{Method, Request};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::listener::{Listener, reply};
use crate::world::{World, settle, sign_in};

fn ada() -> AuthTokens {
    AuthTokens::new("ada").with_refresh_token("r-ada")
}

/// A server that refuses Ada once Bert, whose tokens are `a0` and `r0`, has signed in.
async fn too_late(world: &World, manager: &SessionManager) -> Listener {
    let (server, manager) = (world.server.clone(), manager.clone());
    Listener::start(move |heard| {
        if heard.header("authorization") != Some("Bearer ada") {
            return reply(200, &[], "");
        }
        let signing_in = sign_in(&manager, &server);
        tokio::task::block_in_place(|| Handle::current().block_on(signing_in));
        reply(401, &["Set-Cookie: id=of-ada; Path=/"], "")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a12_a_request_is_not_sent_again_as_somebody_else() {
    let world = World::new();
    let manager = world.manager();
    manager.create_session(ada(), None, None).await.unwrap();
    let server = too_late(&world, &manager).await;
    let client = HttpClient::new(manager.clone(), &[&server.url]).unwrap();
    let mut put = Request::new(Method::PUT, server.url.parse().unwrap());
    *put.body_mut() = Some("ada's profile".into());
    assert_eq!(client.send(put).await.unwrap().status(), 401);
    assert_eq!((server.heard().len(), world.server.refreshes()), (1, 0));
    let bert = manager.session().await.unwrap().unwrap();
    assert_eq!(bert.token().expose(), "a0");
    assert!(bert.cookies.is_empty(), "cookies of hers are none of his");
    assert_eq!(bert.metadata.last_api_call_at, None, "and her use is none of his");
}

/// A server whose answer to a call with Ada's token is held back, and is a refusal.
#[derive(Clone)]
struct Refusing {
    server: TestServer,
    held: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl AuthBackend for Refusing {
    fn refresh(&self, call: RefreshCall) -> Answer<'_, Granted> {
        self.server.refresh(call)
    }

    fn revoke(&self, token: Token) -> Answer<'_, ()> {
        self.server.revoke(token)
    }

    fn end_all(&self, token: Token, _: bool) -> Answer<'_, u64> {
        self.asked.lock().unwrap().push(token.expose().to_owned());
        Box::pin(async move {
            let held = self.held.lock().unwrap().take();
            match held {
                Some(held) => {
                    let _ = held.await;
                    Err(BackendError::Status { status: 401 })
                }
                None => Ok(7),
            }
        })
    }
}

#[tokio::test]
async fn f07_what_was_refused_to_one_user_is_not_asked_for_another() {
    let (release, held) = oneshot::channel();
    let server = TestServer::new(Duration::from_secs(1800));
    let held = Arc::new(Mutex::new(Some(held)));
    let backend = Refusing { server: server.clone(), held, asked: Arc::default() };
    let manager = SessionManager::builder().backend(backend.clone()).build();
    manager.create_session(ada(), None, None).await.unwrap();
    let asking = {
        let manager = manager.clone();
        tokio::spawn(async move { manager.logout_other_devices().await })
    };
    settle().await;
    sign_in(&manager, &server).await;
    release.send(()).unwrap();
    assert!(matches!(asking.await.unwrap(), Err(AuthError::Replaced)));
    assert_eq!(*backend.asked.lock().unwrap(), ["ada"]);
    assert_eq!(server.refreshes(), 0);
}

#[tokio::test]
async fn f07_a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    let (_never, held) = oneshot::channel();
    let world = World::new();
    let held = Arc::new(Mutex::new(Some(held)));
    let backend = Refusing { server: world.server.clone(), held, asked: Arc::default() };
    let manager = SessionManager::builder().backend(backend).clock(world.clock.clone()).build();
    manager.create_session(ada(), None, None).await.unwrap();
    let asking = {
        let manager = manager.clone();
        tokio::spawn(async move { manager.logout_all_devices().await })
    };
    settle().await;
    assert!(!asking.is_finished());
    world.advance(10);
    let passing = asking.await.unwrap();
    let is_passing = matches!(passing, Err(AuthError::Backend(BackendError::Transient { .. })));
    assert!(is_passing, "{passing:?}");
    assert!(manager.is_session_valid().await, "nobody was signed out");
}
