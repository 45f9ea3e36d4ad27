//! What a connection lives through, and what it does not.

use std::time::Duration;

use handstamp_client::websocket::{
    Ending, Incoming, Renewal, WebSocketError, WebSocketOptions, authenticate,
};
use handstamp_client::{AuthTokens, Token};
use tokio::io::AsyncWriteExt;

use super::peer::{Door, connected, connected_with, meanwhile, message, reconnected};
use crate::world::{LIFE, World, sign_in, token};

#[tokio::test]
async fn a13_a_renewed_token_is_told_in_band_and_the_connection_stands() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let (mut socket, mut peer) = connected(&manager, &door).await;
    for round in 1..=3 {
        // Nobody but the connection asks for a token meanwhile. Longer than any of them lives,
        // with signs of life in between.
        for _ in 0..LIFE.as_secs() / 15 {
            world.advance(15);
            peer.say("tick").await;
            assert_eq!(socket.next().await, message("tick"));
            socket.send("tock").await.unwrap();
            let heard = peer.text().await;
            if heard != "tock" {
                assert_eq!(heard, authenticate(&Token::new(format!("a{round}"))));
                assert_eq!(peer.text().await, "tock");
            }
        }
        assert!(world.server.refreshes() >= round, "{round}");
    }
    assert_eq!(world.server.ended(), None);
}

#[tokio::test]
async fn a13_a_server_that_cannot_be_told_is_connected_to_anew_if_so_chosen() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let mut options = WebSocketOptions::default();
    options.renewal = Renewal::Reconnect;
    let (mut socket, _peer) = connected_with(&manager, &door, options).await;
    manager.refresh().await;
    let peer = reconnected(&world, &mut socket, &door).await;
    assert_eq!(peer.token(), "a1");
}

#[tokio::test]
async fn a13_fifty_subscriptions_are_sent_again_in_order_after_the_server_has_restarted() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, mut peer) = connected(&world.signed_in().await, &door).await;
    for number in 0..50 {
        socket.subscribe(number.to_string(), format!("on {number}")).await.unwrap();
    }
    socket.sender().unsubscribe("7", Some("off 7".into())).await.unwrap();
    socket.subscribe("3", "on 3 more").await.unwrap();
    let expected: Vec<_> = (0..50)
        .filter(|number| *number != 7)
        .map(|number| if number == 3 { "on 3 more".to_owned() } else { format!("on {number}") })
        .collect();
    for _ in 0..52 {
        peer.text().await;
    }
    // Twice, because whoever forgets them at the first replay is found out at the second.
    let (mut door, mut peer) = (door, peer);
    for _ in 0..2 {
        let address = door.address();
        drop((peer, door));
        assert_eq!(socket.next().await, Some(Incoming::Broken));
        world.advance(2);
        // Nobody is there for a while.
        meanwhile(&world, tokio::time::sleep(Duration::from_millis(60))).await;
        door = Door::open_again(address).await;
        peer = meanwhile(&world, door.accept()).await;
        assert_eq!(socket.next().await, Some(Incoming::Restored));
        let mut heard = Vec::new();
        while heard.len() < expected.len() {
            heard.push(peer.text().await);
        }
        assert_eq!(heard, expected);
    }
}

#[tokio::test]
async fn a13_a_message_that_breaks_off_is_never_seen() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, mut peer) = connected(&world.signed_in().await, &door).await;
    peer.say("whole").await;
    // A text of 100 bytes, of which ten come.
    peer.bare().write_all(&[0x81, 100]).await.unwrap();
    peer.bare().write_all(b"0123456789").await.unwrap();
    drop(peer);
    assert_eq!(socket.next().await, message("whole"));
    let mut peer = reconnected(&world, &mut socket, &door).await;
    peer.say("after").await;
    assert_eq!(socket.next().await, message("after"));
}

#[tokio::test]
async fn a13_a_server_that_gives_no_sign_of_life_is_left() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, peer) = connected(&world.signed_in().await, &door).await;
    // The connection is open, and nobody reads at its other end.
    assert_eq!(meanwhile(&world, socket.next()).await, Some(Incoming::Broken));
    let elapsed = handstamp_client::Clock::elapsed(&world.clock).as_secs();
    // A sign of life is asked for after 30 s and may take 10; how much of the world's time passes
    // while this machine works is another matter.
    assert!((40..120).contains(&elapsed), "{elapsed}");
    meanwhile(&world, door.accept()).await;
    assert_eq!(socket.next().await, Some(Incoming::Restored));
    drop(peer);
}

#[tokio::test]
async fn a13_an_application_that_is_slow_misses_nothing_and_is_not_taken_for_a_dead_server() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, mut peer) = connected(&world.signed_in().await, &door).await;
    for number in 0..500 {
        peer.say(&number.to_string()).await;
    }
    for _ in 0..20 {
        world.advance(15);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for number in 0..500 {
        assert_eq!(socket.next().await, message(&number.to_string()));
    }
}

#[tokio::test]
async fn a13_a_server_that_restarts_is_returned_to_and_one_that_is_done_is_not() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, mut peer) = connected(&world.signed_in().await, &door).await;
    for code in [1001, 1011, 1012, 1013] {
        peer.close(code).await;
        peer = reconnected(&world, &mut socket, &door).await;
    }
    peer.close(1000).await;
    assert_eq!(socket.next().await, Some(Incoming::Ended(Ending::There)));
    assert_eq!(socket.next().await, None);
    assert!(matches!(socket.send("late").await, Err(WebSocketError::Ended)));
    assert_eq!(world.server.refreshes(), 0);
}

#[tokio::test]
async fn a13_a_token_refused_on_the_way_is_renewed_once() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let (mut socket, peer) = connected(&manager, &door).await;
    peer.close(4401).await;
    let peer = reconnected(&world, &mut socket, &door).await;
    assert_eq!((peer.token(), world.server.refreshes()), ("a1", 1));
    peer.close(4401).await;
    let ended = Incoming::Ended(Ending::Refused { code: 4401 });
    assert_eq!(socket.next().await, Some(ended));
    // It is this server's word, and not that of the one who renews.
    assert_eq!((token(&manager).await.as_str(), world.server.refreshes()), ("a1", 1));
}

#[tokio::test]
async fn a13_what_is_forbidden_is_not_tried_again() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let (mut socket, peer) = connected(&manager, &door).await;
    peer.close(4403).await;
    let ended = Incoming::Ended(Ending::Refused { code: 4403 });
    assert_eq!(socket.next().await, Some(ended));
    let (mut socket, peer) = connected(&manager, &door).await;
    drop(peer);
    assert_eq!(socket.next().await, Some(Incoming::Broken));
    meanwhile(&world, door.refuse(403, &[])).await;
    assert_eq!(socket.next().await, Some(Incoming::Ended(Ending::Refused { code: 403 })));
    assert_eq!(world.server.refreshes(), 0);
}

#[tokio::test]
async fn a13_s93_a_server_that_is_busy_is_left_alone_for_as_long_as_it_asks() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, peer) = connected(&world.signed_in().await, &door).await;
    drop(peer);
    assert_eq!(socket.next().await, Some(Incoming::Broken));
    meanwhile(&world, door.refuse(503, &["Retry-After: 60"])).await;
    let before = handstamp_client::Clock::elapsed(&world.clock);
    meanwhile(&world, door.accept()).await;
    let waited = handstamp_client::Clock::elapsed(&world.clock) - before;
    assert!((60..120).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test]
async fn a13_a_server_that_lets_go_at_once_is_left_alone_longer_each_time() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, peer) = connected(&world.signed_in().await, &door).await;
    drop(peer);
    let mut waits = Vec::new();
    for _ in 0..5 {
        let before = handstamp_client::Clock::elapsed(&world.clock);
        drop(reconnected(&world, &mut socket, &door).await);
        waits.push((handstamp_client::Clock::elapsed(&world.clock) - before).as_secs());
    }
    assert!(waits[4] >= 16 && waits[0] < waits[4], "{waits:?}");
}

#[tokio::test]
async fn a13_what_is_sent_while_there_is_no_connection_is_an_error_and_a_subscription_is_kept() {
    let (world, door) = (World::new(), Door::open().await);
    let (mut socket, peer) = connected(&world.signed_in().await, &door).await;
    drop(peer);
    assert_eq!(socket.next().await, Some(Incoming::Broken));
    assert!(matches!(socket.send("lost").await, Err(WebSocketError::Broken)));
    socket.subscribe("orders", "on orders").await.unwrap();
    let mut peer = meanwhile(&world, door.accept()).await;
    assert_eq!(peer.text().await, "on orders");
}

#[tokio::test]
async fn a13_defect_14_a_connection_ends_with_its_session() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let (mut socket, mut peer) = connected(&manager, &door).await;
    manager.logout().await.unwrap();
    assert_eq!(peer.goodbye().await, 1000);
    assert_eq!(socket.next().await, Some(Incoming::Ended(Ending::SignedOut)));
    // Also while it is being made anew.
    sign_in(&manager, &world.server).await;
    let (mut socket, peer) = connected(&manager, &door).await;
    drop(peer);
    assert_eq!(socket.next().await, Some(Incoming::Broken));
    manager.logout().await.unwrap();
    assert_eq!(socket.next().await, Some(Incoming::Ended(Ending::SignedOut)));
}

#[tokio::test]
async fn a13_somebody_else_who_signs_in_does_not_inherit_the_connection() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let (mut socket, mut peer) = connected(&manager, &door).await;
    manager.create_session(AuthTokens::new("somebody else's"), None, None).await.unwrap();
    assert_eq!(peer.goodbye().await, 1000);
    assert_eq!(socket.next().await, Some(Incoming::Ended(Ending::SignedOut)));
}

#[tokio::test]
async fn a13_closing_and_letting_go_say_goodbye() {
    let (world, door) = (World::new(), Door::open().await);
    let manager = world.signed_in().await;
    let (mut socket, mut peer) = connected(&manager, &door).await;
    socket.close().await;
    assert_eq!(peer.goodbye().await, 1000);
    assert_eq!(socket.next().await, Some(Incoming::Ended(Ending::Here)));
    let (socket, mut peer) = connected(&manager, &door).await;
    drop(socket);
    assert_eq!(peer.goodbye().await, 1000);
}
