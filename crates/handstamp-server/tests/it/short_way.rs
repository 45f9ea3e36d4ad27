//! The calls that are made most pass no router, and must not be told from those that do.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::RequestBuilder;
use reqwest::header::{COOKIE, HeaderName};
use serde_json::Value;

use crate::world::{Answer, World, send};

/// The same service with nothing but its router, at an address of its own.
async fn routed(world: &World) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = handstamp_server::router(Arc::clone(&world.service));
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// All of an answer that does not differ between two of one kind.
async fn shown(request: RequestBuilder) -> (u16, Vec<(String, Vec<u8>)>, Value) {
    let Answer { status, headers, mut json } = send(request).await;
    let mut shown: Vec<_> =
        headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    shown.retain(|(name, _)| !["x-request-id", "date"].contains(&&**name));
    shown.sort();
    if let Some(object) = json.as_object_mut() {
        object.remove("request_id");
    }
    (status, shown, json)
}

#[tokio::test]
async fn whoever_goes_the_short_way_gets_the_answer_of_the_router() {
    let world = World::with(&[("server.trusted_proxies", "127.0.0.1")]).await;
    let routed = routed(&world).await;
    let cookie = world.begin_cookie("ada").await;
    let bearer = format!("Bearer {}", world.begin("bob").await.access_token.expose());
    let credentials = [
        vec![],
        vec![(COOKIE, cookie.as_str())],
        vec![(COOKIE, "handstamp=nonsense")],
        vec![(HeaderName::from_static("authorization"), bearer.as_str())],
        vec![(HeaderName::from_static("authorization"), "Bearer nonsense")],
        vec![(HeaderName::from_static("authorization"), "Basic nonsense")],
        vec![(COOKIE, cookie.as_str()), (HeaderName::from_static("sec-fetch-dest"), "script")],
        vec![(COOKIE, cookie.as_str()), (HeaderName::from_static("handstamp-min"), "nonsense")],
    ];
    let paths = [
        "/sessions/status",
        "/sessions/status?x=1",
        "/sessions/verify",
        "/sessions/verify?role=editor",
        "/sessions/verify?max_age_seconds=60&x=1",
    ];
    for path in paths {
        for headers in &credentials {
            let ask = |url: &str| {
                let request = world.http.get(format!("{url}{path}"));
                let request = request.header("x-forwarded-method", "GET");
                let request = request.header("x-forwarded-host", "shop.example");
                shown(
                    headers.iter().fold(request, |asked, (name, value)| asked.header(name, *value)),
                )
            };
            assert_eq!(ask(&world.url).await, ask(&routed).await, "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn only_a_get_of_the_very_path_goes_the_short_way() {
    let world = World::new().await;
    let routed = routed(&world).await;
    let client = &world.http;
    for url in [&world.url, &routed] {
        let status = async |request: RequestBuilder| send(request).await.status;
        assert_eq!(status(client.post(format!("{url}/sessions/status"))).await, 405);
        assert_eq!(status(client.get(format!("{url}/sessions/status/"))).await, 404);
        assert_eq!(status(client.head(format!("{url}/sessions/status"))).await, 200);
        assert_eq!(status(client.put(format!("{url}/sessions/verify"))).await, 401);
    }
}

#[tokio::test]
async fn requests_are_counted_whichever_way_they_go() {
    let world = World::new().await;
    // Each service counts for itself.
    world.on_one_node();
    let routed = routed(&world).await;
    for url in [&world.url, &routed] {
        send(world.http.get(format!("{url}/sessions/status"))).await;
    }
    let text = world.get("/metrics").bearer_auth(&world.admin).send().await.unwrap();
    let text = text.text().await.unwrap();
    let line =
        "handstamp_requests_total{method=\"GET\",route=\"/sessions/status\",status=\"200\"} 2";
    assert!(text.contains(line), "{text}");
}
