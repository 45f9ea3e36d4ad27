//! How a connection is made, and with whom it is not.

use handstamp_client::http::HttpError;
use handstamp_client::websocket::{
    Credentials, WebSocketClient, WebSocketError, WebSocketOptions, authenticate,
};
use handstamp_client::{AuthError, Token};
use tokio::io::AsyncWriteExt;

use super::peer::{Door, agreement, client, connected, connected_with, message};
use crate::world::World;

/// What an attempt at this door ends with that a server answers by hand.
async fn attempt(world: &World, door: &Door) -> Result<(), WebSocketError> {
    let client = client(&world.signed_in().await, &door.origin());
    client.connect_websocket(&door.url()).await.map(drop)
}

#[tokio::test]
async fn a13_a_connection_shows_the_session_and_carries_messages_both_ways() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    manager.update(|it| it.metadata.user_agent = Some("agent/1".into())).await.unwrap();
    let (mut socket, mut peer) = connected(&manager, &door).await;
    assert_eq!((peer.token(), peer.heard.header("user-agent")), ("a0", Some("agent/1")));
    assert_eq!(peer.heard.path, "/feed");
    socket.send("hello").await.unwrap();
    assert_eq!(peer.text().await, "hello");
    peer.say("welcome").await;
    assert_eq!(socket.next().await, message("welcome"));
    assert_eq!(manager.minutes_since_last_api_call().await, Some(0));
}

#[tokio::test]
async fn a13_without_a_session_nothing_is_sent() {
    let (world, door) = (World::new(), Door::open().await);
    let refused = client(&world.manager(), &door.origin()).connect_websocket(&door.url()).await;
    assert!(matches!(refused, Err(WebSocketError::Auth(AuthError::NotAuthenticated))));
}

#[tokio::test]
async fn a13_a_token_past_its_time_is_renewed_before_it_is_shown() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    world.let_it_expire();
    let (_socket, peer) = connected(&manager, &door).await;
    assert_eq!(peer.token(), "a1");
}

#[tokio::test]
async fn a13_defect_27_another_origin_and_a_redirect_get_nothing() {
    let (world, here, there) = (World::new(), Door::open().await, Door::open().await);
    let manager = world.signed_in().await;
    let client = client(&manager, &here.origin());
    let refused = client.connect_websocket(&there.url()).await;
    assert!(matches!(refused, Err(WebSocketError::Auth(AuthError::Origin(_)))), "{refused:?}");
    // The same host over TLS is another origin; without TLS only the own machine is one.
    let tls = there.url().replace("ws://", "wss://");
    let refused = client.connect_websocket(&tls).await;
    assert!(matches!(refused, Err(WebSocketError::Auth(AuthError::Origin(_)))));
    let far = WebSocketClient::new(manager.clone(), &["https://live.example.com"]).unwrap();
    let refused = far.connect_websocket("ws://live.example.com/feed").await;
    assert!(matches!(refused, Err(WebSocketError::Plain(_))));
    let plain = ["ws://live.example.com"];
    let made = WebSocketClient::new(manager.clone(), &plain);
    assert!(matches!(made, Err(HttpError::Plain(_))));
    assert!(WebSocketClient::dangerously_plain(manager.clone(), &plain).is_ok());
    let location = format!("Location: http://{}/feed", there.address());
    let (url, headers) = (here.url(), [location.as_str()]);
    let (refused, _) = tokio::join!(client.connect_websocket(&url), here.refuse(307, &headers));
    assert!(matches!(refused, Err(WebSocketError::Refused { status: 307 })));
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(50), there.knock()).await;
    assert!(nobody.is_err());
    for bad in ["", "live.example.com", "data:x"] {
        let made = WebSocketClient::new(manager.clone(), &[bad]);
        assert!(matches!(made, Err(HttpError::Origin(_))), "{bad}");
    }
}

#[tokio::test]
async fn a13_a_token_that_is_refused_is_renewed_once() {
    let (world, door) = (World::new(), Door::open().await);
    let (opened, peer) = tokio::join!(attempt(&world, &door), async {
        door.refuse(401, &[]).await;
        door.accept().await
    });
    opened.unwrap();
    assert_eq!((peer.token(), world.server.refreshes()), ("a1", 1));
}

#[tokio::test]
async fn a13_what_is_refused_twice_is_asked_no_third_time_and_the_session_stays() {
    let (world, door) = (World::new(), Door::open().await);
    let (refused, ()) = tokio::join!(attempt(&world, &door), async {
        door.refuse(401, &[]).await;
        door.refuse(401, &[]).await;
    });
    assert!(matches!(refused, Err(WebSocketError::Refused { status: 401 })), "{refused:?}");
    assert_eq!(world.server.refreshes(), 1);
    assert!(world.manager().is_session_valid().await);
}

#[tokio::test]
async fn a13_other_answers_are_told_apart_and_renew_nothing() {
    let (world, door) = (World::new(), Door::open().await);
    for (status, is_passing) in [(403, false), (404, false), (410, false), (429, true), (503, true)]
    {
        let (refused, _) =
            tokio::join!(attempt(&world, &door), door.refuse(status, &["Retry-After: 7"]));
        match refused {
            Err(WebSocketError::Refused { status: told }) => assert_eq!(told, status),
            Err(WebSocketError::Passing { retry_after, .. }) => {
                assert!(is_passing, "{status}");
                assert_eq!(retry_after.map(|it| it.as_secs()), Some(7));
            }
            other => panic!("{status}: {other:?}"),
        }
    }
    assert_eq!(world.server.refreshes(), 0);
}

#[tokio::test]
async fn a13_an_agreement_that_does_not_follow_the_rules_is_none() {
    let (world, door) = (World::new(), Door::open().await);
    let bent = |from: &'static str, to: &'static str| move |good: String| good.replace(from, to);
    let bends: [Box<dyn Fn(String) -> String>; 4] = [
        Box::new(bent("Accept: ", "Accept: x")),
        Box::new(bent("Upgrade: websocket", "Upgrade: h2c")),
        Box::new(bent("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")),
        Box::new(bent("\r\n\r\n", "\r\nSec-WebSocket-Protocol: never-offered\r\n\r\n")),
    ];
    for bend in bends {
        let (refused, ()) = tokio::join!(attempt(&world, &door), async {
            let (mut stream, heard) = door.knock().await;
            stream.write_all(bend(agreement(&heard)).as_bytes()).await.unwrap();
        });
        assert!(matches!(refused, Err(WebSocketError::Refused { status: 101 })), "{refused:?}");
    }
}

#[tokio::test]
async fn a13_a_server_may_want_the_token_in_the_first_message() {
    let (world, door) = (World::new(), Door::open().await);
    let mut options = WebSocketOptions::default();
    options.credentials = Credentials::FirstMessage;
    options.protocols = vec!["orders.v1".into()];
    let (_socket, mut peer) = connected_with(&world.signed_in().await, &door, options).await;
    assert_eq!(peer.heard.header("authorization"), None);
    assert_eq!(peer.heard.header("sec-websocket-protocol"), Some("orders.v1"));
    assert_eq!(peer.text().await, authenticate(&Token::new("a0")));
    assert_eq!(authenticate(&"a0".into()), r#"{"type":"authenticate","access_token":"a0"}"#);
}

#[tokio::test]
async fn a13_a_token_in_the_address_takes_a_choice_and_shows_in_no_error() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let mut options = WebSocketOptions::default();
    options.credentials = Credentials::DangerouslyInQuery("token".into());
    let (socket, peer) = connected_with(&manager, &door, options.clone()).await;
    assert_eq!(
        (peer.heard.path.as_str(), peer.heard.header("authorization")),
        ("/feed?token=a0", None)
    );
    let (url, client) = (door.url(), client(&manager, &door.origin()).with_options(options));
    drop((socket, peer, door));
    let error = client.connect_websocket(&url).await.unwrap_err();
    assert!(matches!(error, WebSocketError::Passing { cause: Some(_), .. }));
    let shown = format!("{error} {error:?} {client:?}");
    assert!(!shown.contains("a0") && !shown.contains("token="), "{shown}");
}
