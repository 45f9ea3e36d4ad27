//! Connections that ask for nothing, for too much, or in two ways at once.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{World, send};

/// A connection that has said this.
async fn connect(world: &World, said: &str) -> TcpStream {
    let host = world.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    stream
}

/// All that is answered until the connection is closed.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // One that is closed while it still says something is reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// The beginning of an answer.
async fn some(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

const WHOLE: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
const HALF: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b";

#[tokio::test]
async fn s97_a_head_that_does_not_end_is_waited_for_no_longer_than_its_limit() {
    let world = World::with(&[("server.head_timeout_seconds", "1")]).await;
    let mut kept = connect(&world, WHOLE).await;
    assert!(some(&mut kept).await.starts_with("HTTP/1.1 200"));
    let silent = connect(&world, "").await;
    let half = connect(&world, HALF).await;
    let mut second = connect(&world, WHOLE).await;
    assert!(some(&mut second).await.starts_with("HTTP/1.1 200"));
    second.write_all(HALF.as_bytes()).await.unwrap();
    let (silent, half, second) = tokio::join!(rest(silent), rest(half), rest(second));
    assert_eq!([silent, half, second], ["", "", ""]);
    kept.write_all(WHOLE.as_bytes()).await.unwrap();
    assert!(some(&mut kept).await.starts_with("HTTP/1.1 200"), "between requests it may be quiet");
}

#[tokio::test]
async fn there_are_so_many_connections_and_the_next_waits_for_its_place() {
    let world = World::with(&[("server.max_connections", "2")]).await;
    let held = [connect(&world, HALF).await, connect(&world, HALF).await];
    let mut next = connect(&world, WHOLE).await;
    let early = timeout(Duration::from_millis(200), some(&mut next)).await;
    assert!(early.is_err(), "{early:?}");
    drop(held);
    assert!(some(&mut next).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_session_follows_its_events_on_32_streams_and_no_more() {
    let world = World::new().await;
    let [ada, bob] = [world.begin("ada").await, world.begin("bob").await];
    let follow = |token: &str| world.get("/sessions/events").bearer_auth(token).send();
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(follow(ada.access_token.expose()).await.unwrap());
    }
    assert!(streams.iter().all(|stream| stream.status() == 200));
    let more = send(world.get("/sessions/events").bearer_auth(ada.access_token.expose())).await;
    assert_eq!(more.problem(), (429, "RATE_LIMITED"));
    assert!(!more.header("retry-after").is_empty());
    assert_eq!(follow(bob.access_token.expose()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_path_of_bytes_that_are_no_text_is_a_problem_like_any_other() {
    let world = World::new().await;
    for path in ["/admin/webhooks/%ff/deliveries", "/admin/analytics/%c3%28"] {
        let answer = send(world.get(path).bearer_auth(&world.admin)).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.code(), "BAD_REQUEST", "{path}");
    }
}

#[tokio::test]
async fn s97_a_request_names_one_host() {
    let world = World::new().await;
    for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n"] {
        let request = format!("GET /sessions/status HTTP/1.1\r\nConnection: close\r\n{hosts}\r\n");
        let answer = rest(connect(&world, &request).await).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{hosts:?}: {answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("x-request-id"));
    }
    let older = rest(connect(&world, "GET /healthz HTTP/1.0\r\n\r\n").await).await;
    assert!(older.starts_with("HTTP/1.0 200"), "{older}");
}
