//! Requests that carry the session: where to, and how often.

use std::process::Command;
use std::sync::{Arc, Mutex};

use handstamp_client::address::AddressError;
use handstamp_client::http::{HttpClient, HttpError, NotSentAgain};
use handstamp_client::{AuthBackend, AuthError, HandstampBackend, OauthBackend, SessionManager};
use reqwest::{Method, Request};

use crate::listener::{Heard, Listener, reply};
use crate::world::{World, settle};

fn request(method: Method, url: &str) -> Request {
    Request::new(method, url.parse().unwrap())
}

async fn client(world: &World, origins: &[&str]) -> (HttpClient, SessionManager) {
    let manager = world.signed_in().await;
    (HttpClient::new(manager.clone(), origins).unwrap(), manager)
}

/// A server that takes the token `a1` only.
async fn picky() -> Listener {
    Listener::start(|heard| match heard.header("authorization") {
        Some("Bearer a1") => reply(200, &[], "good"),
        _ => reply(401, &[], ""),
    })
    .await
}

#[tokio::test]
async fn a12_a_request_carries_token_cookies_and_user_agent_and_is_noted() {
    let world = World::new();
    let server = Listener::start(|_| reply(200, &["Set-Cookie: id=a=b; Path=/"], "")).await;
    let (client, manager) = client(&world, &[&server.url]).await;
    manager.update(|it| it.metadata.user_agent = Some("agent/1".into())).await.unwrap();
    for _ in 0..2 {
        client.send(request(Method::GET, &server.url)).await.unwrap();
    }
    let heard = server.heard();
    assert_eq!(heard[0].header("authorization"), Some("Bearer a0"));
    assert_eq!(heard[0].header("user-agent"), Some("agent/1"));
    assert_eq!((heard[0].header("cookie"), heard[1].header("cookie")), (None, Some("id=a=b")));
    assert_eq!(manager.minutes_since_last_api_call().await, Some(0));
    let session = manager.get_session().await.unwrap();
    assert_eq!(session.metadata.current_api_server.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn a12_a_refused_token_is_renewed_and_the_request_sent_once_more() {
    let world = World::new();
    let server = picky().await;
    let (client, _) = client(&world, &[&server.url]).await;
    let answer = client.send(request(Method::GET, &server.url)).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "good");
    assert_eq!((server.heard().len(), world.server.refreshes()), (2, 1));
}

#[tokio::test]
async fn a12_what_is_refused_twice_is_sent_no_third_time() {
    let world = World::new();
    let server = Listener::start(|_| reply(401, &[], "")).await;
    let (client, manager) = client(&world, &[&server.url]).await;
    let answer = client.send(request(Method::GET, &server.url)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.extensions().get::<NotSentAgain>()), (401, None));
    assert_eq!((server.heard().len(), world.server.refreshes()), (2, 1));
    // The resource's 401 is not the server's word about the session.
    assert!(manager.is_session_valid().await);
}

#[tokio::test]
async fn a12_defect_26_a_post_is_sent_once_unless_it_has_a_key() {
    let world = World::new();
    let server = picky().await;
    let (client, _) = client(&world, &[&server.url]).await;
    let mut post = request(Method::POST, &server.url);
    *post.body_mut() = Some("pay 7".into());
    let mut keyed = post.try_clone().unwrap();
    let answer = client.send(post).await.unwrap();
    assert_eq!((answer.status().as_u16(), server.heard().len()), (401, 1));
    assert_eq!(answer.extensions().get(), Some(&NotSentAgain));
    settle().await;
    assert_eq!(world.server.refreshes(), 1);
    keyed.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    // The tokens were renewed in the meantime: take a server that has not seen that.
    let other = Listener::start(|heard| match heard.header("authorization") {
        Some("Bearer a2") => reply(200, &[], ""),
        _ => reply(401, &[], ""),
    })
    .await;
    let client = HttpClient::new(world.manager(), &[&other.url]).unwrap();
    *keyed.url_mut() = other.url.parse().unwrap();
    assert_eq!(client.send(keyed).await.unwrap().status(), 200);
    let bodies: Vec<_> = other.heard().into_iter().map(|heard| heard.body).collect();
    assert_eq!(bodies, ["pay 7", "pay 7"]);
}

#[tokio::test]
async fn a12_a_body_that_cannot_be_sent_again_is_not() {
    let world = World::new();
    let server = picky().await;
    let (client, _) = client(&world, &[&server.url]).await;
    let mut put = request(Method::PUT, &server.url);
    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>("once")]);
    *put.body_mut() = Some(reqwest::Body::wrap_stream(chunks));
    let answer = client.send(put).await.unwrap();
    assert_eq!((answer.status().as_u16(), server.heard().len()), (401, 1));
    assert_eq!(answer.extensions().get(), Some(&NotSentAgain));
}

#[tokio::test]
async fn a12_a_403_renews_nothing() {
    let world = World::new();
    let server = Listener::start(|_| reply(403, &[], "")).await;
    let (client, _) = client(&world, &[&server.url]).await;
    assert_eq!(client.send(request(Method::GET, &server.url)).await.unwrap().status(), 403);
    assert_eq!((server.heard().len(), world.server.refreshes()), (1, 0));
}

#[tokio::test]
async fn defect_27_a_request_to_another_origin_is_refused() {
    let world = World::new();
    let (here, there) = (picky().await, picky().await);
    let (client, _) = client(&world, &[&here.url]).await;
    let refused = client.send(request(Method::GET, &there.url)).await.unwrap_err();
    let HttpError::Auth(AuthError::Origin(origin)) = refused else { panic!("{refused:?}") };
    assert_eq!(origin, there.url);
    let mut request = request(Method::GET, &there.url);
    assert!(client.authorize(&mut request).await.is_err());
    assert!(request.headers().is_empty() && there.heard().is_empty());
    for bad in ["", "api.example.com", "data:x"] {
        assert!(matches!(HttpClient::new(world.manager(), &[bad]), Err(HttpError::Origin(_))));
    }
}

#[tokio::test]
async fn defect_27_a_redirect_to_another_host_carries_nothing() {
    let world = World::new();
    let there = Listener::start(|_| reply(200, &["Set-Cookie: theirs=1"], "there")).await;
    let target = format!("Location: {}/x", there.url);
    let here = Listener::start(move |heard: &Heard| match heard.path.as_str() {
        "/home" => reply(200, &[], "home"),
        "/moved" => reply(302, &["Location: /home"], ""),
        _ => reply(307, &[&target, "Set-Cookie: ours=1; Path=/"], ""),
    })
    .await;
    let (client, manager) = client(&world, &[&here.url]).await;
    let mut request_out = request(Method::GET, &here.url);
    request_out.headers_mut().insert("cookie", "mine=1".parse().unwrap());
    let answer = client.send(request_out).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "there");
    let heard = there.heard().remove(0);
    for name in ["authorization", "cookie", "proxy-authorization"] {
        assert_eq!(heard.header(name), None, "{name}");
    }
    assert!(manager.get_cookie_header(&there.url.parse().unwrap()).await.is_none());
    // Within the origin it goes along.
    let moved = request(Method::GET, &format!("{}/moved", here.url));
    assert_eq!(client.send(moved).await.unwrap().text().await.unwrap(), "home");
    let last = here.heard().pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer a0"));
    assert_eq!(last.header("cookie"), Some("ours=1"));
}

#[tokio::test]
async fn defect_27_who_is_not_on_the_list_chooses_no_request_that_carries_the_session() {
    let world = World::new();
    let back = Arc::new(Mutex::new(String::new()));
    let there = {
        let back = Arc::clone(&back);
        let to = move || format!("Location: {}/delete-account", back.lock().unwrap());
        Listener::start(move |_| reply(307, &[&to()], "")).await
    };
    let out = format!("Location: {}/", there.url);
    let here = Listener::start(move |heard| match heard.path.as_str() {
        "/out" => reply(307, &[&out], ""),
        _ => reply(200, &["Set-Cookie: planted=1; Path=/"], ""),
    })
    .await;
    *back.lock().unwrap() = here.url.clone();
    let (client, manager) = client(&world, &[&here.url]).await;
    let mut post = request(Method::POST, &format!("{}/out", here.url));
    *post.body_mut() = Some("x".into());
    client.send(post).await.unwrap();
    let heard = here.heard();
    assert_eq!(
        (heard[0].header("authorization"), heard[0].path.as_str()),
        (Some("Bearer a0"), "/out")
    );
    assert_eq!(
        (heard[1].header("authorization"), heard[1].path.as_str()),
        (None, "/delete-account")
    );
    assert!(manager.get_cookie_header(&here.url.parse().unwrap()).await.is_none());
}

#[tokio::test]
async fn a_redirect_without_end_is_an_error_and_a_post_becomes_a_get() {
    let world = World::new();
    let server = Listener::start(|_| reply(303, &["Location: /again"], "")).await;
    let (client, _) = client(&world, &[&server.url]).await;
    let mut post = request(Method::POST, &server.url);
    *post.body_mut() = Some("x".into());
    assert!(matches!(client.send(post).await, Err(HttpError::TooManyRedirects)));
    let heard = server.heard();
    assert_eq!((heard.len(), heard[1].method.as_str(), heard[1].body.as_str()), (11, "GET", ""));
}

#[tokio::test]
async fn a12_without_a_session_nothing_is_sent() {
    let world = World::new();
    let server = picky().await;
    let client = HttpClient::new(world.manager(), &[&server.url]).unwrap();
    let refused = client.send(request(Method::GET, &server.url)).await;
    assert!(matches!(refused, Err(HttpError::Auth(AuthError::NotAuthenticated))));
    assert!(server.heard().is_empty());
}

const BEHIND: &str = "HANDSTAMP_CLIENT_BEHIND_A_PROXY";

/// The process whose environment names a proxy.
#[tokio::test]
async fn one_behind_a_proxy() {
    let Ok(url) = std::env::var(BEHIND) else { return };
    let world = World::new();
    let (client, manager) = client(&world, &[&url, "http://[::1]:9"]).await;
    assert_eq!(client.send(request(Method::GET, &url)).await.unwrap().status(), 200);
    let service = HandstampBackend::new(&url).unwrap();
    assert!(service.revoke("hsr_secret".into()).await.is_err(), "an answer of no service");
    let oauth = OauthBackend::new(&url, "it").unwrap().with_revocation(&url).unwrap();
    oauth.revoke("hsr_secret".into()).await.unwrap();
    // What goes elsewhere does go through it.
    let far = HttpClient::dangerously_plain(manager, &["http://far.example"]).unwrap();
    let answer = far.send(request(Method::GET, "http://far.example/")).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_this_machine_goes_through_no_proxy() {
    let proxy = Listener::start(|_| reply(200, &[], "the proxy")).await;
    let server = Listener::start(|_| reply(200, &[], "")).await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "requests::one_behind_a_proxy"]).env(BEHIND, &server.url);
    command.env("http_proxy", &proxy.url).env_remove("no_proxy").env_remove("NO_PROXY");
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(server.heard().len(), 3);
    let heard: Vec<_> = proxy.heard().into_iter().map(|heard| heard.path).collect();
    assert_eq!(heard, ["http://far.example/"]);
}

#[test]
fn a12_without_tls_nothing_goes_to_another_machine_unless_the_program_says_so() {
    let far = "http://api.example.com";
    let world = World::new();
    let refused = HttpClient::new(world.manager(), &["https://a.test", far]);
    assert!(matches!(refused, Err(HttpError::Plain(origin)) if origin == far));
    let own = HttpClient::with_client(reqwest::Client::new(), world.manager(), &[far]);
    assert!(matches!(own, Err(HttpError::Plain(_))));
    assert!(HttpClient::dangerously_plain(world.manager(), &[far]).is_ok());
    assert!(matches!(HandstampBackend::new(far), Err(AddressError::Plain(_))));
    assert!(HandstampBackend::dangerously_plain(far).is_ok());
    assert!(matches!(OauthBackend::new(far, "it"), Err(AddressError::Plain(_))));
    let safe = OauthBackend::new("https://a.test/token", "it").unwrap();
    assert!(matches!(safe.with_revocation(far), Err(AddressError::Plain(_))));
    assert!(OauthBackend::dangerously_plain(far, "it").unwrap().with_revocation(far).is_ok());
}
