//! Many requests that must leave nothing behind.

use std::convert::Infallible;

use axum::http::{Request, Response};
use handstamp_axum::{SessionLayer, SessionSlot};
use tower::{Layer, Service, service_fn};

use crate::world::World;

async fn read(request: Request<()>) -> Result<Response<String>, Infallible> {
    let session = request.extensions().get::<SessionSlot>().unwrap().load().await.unwrap();
    Ok(Response::new(session.is_authenticated().to_string()))
}

#[tokio::test]
async fn a_hundred_thousand_anonymous_and_bearer_requests_create_no_row() {
    let world = World::new();
    let mut service = SessionLayer::new(world.sessions.clone()).layer(service_fn(read));
    for turn in 0..100_000_u32 {
        let request = match turn % 4 {
            0 => Request::get("/").body(()),
            1 => Request::get("/").header("authorization", "Bearer abc").body(()),
            2 => Request::get("/").header("cookie", "theme=dark").body(()),
            _ => Request::post("/")
                .header("authorization", "Bearer abc")
                .header("sec-fetch-site", "same-origin")
                .body(()),
        };
        let answer = service.call(request.unwrap()).await.unwrap();
        assert_eq!(answer.body(), "false");
        assert!(answer.headers().get("set-cookie").is_none());
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(world.rows().await, 0);
}
