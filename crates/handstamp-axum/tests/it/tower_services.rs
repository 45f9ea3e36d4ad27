//! Without axum: any tower service.

use std::convert::Infallible;

use axum::http::{Request, Response};
use handstamp_axum::{SessionLayer, SessionSlot};
use tower::{Layer, ServiceExt, service_fn};

use crate::world::World;

async fn count(request: Request<&'static str>) -> Result<Response<String>, Infallible> {
    let slot = request.extensions().get::<SessionSlot>().unwrap();
    let session = slot.load().await.unwrap();
    let visits = session.update("visits", |n: &mut Option<u64>| {
        *n.get_or_insert(0) += 1;
        n.unwrap_or(0)
    });
    Ok(Response::new(format!("{}{}", request.body(), visits.unwrap())))
}

#[tokio::test]
async fn the_layer_goes_around_any_service_and_any_body() {
    let world = World::new();
    let service = SessionLayer::new(world.sessions.clone()).layer(service_fn(count));
    let answer = service.clone().oneshot(Request::new("visit ")).await.unwrap();
    assert_eq!(answer.body(), "visit 1");
    let line = answer.headers()["set-cookie"].to_str().unwrap();
    let cookie = line.split(';').next().unwrap();
    let again = Request::builder().header("cookie", cookie).body("visit ").unwrap();
    assert_eq!(service.oneshot(again).await.unwrap().body(), "visit 2");
}

#[tokio::test]
async fn an_error_of_the_service_passes_through_and_drops_changes() {
    let world = World::new();
    let service = service_fn(|request: Request<()>| async move {
        let session = request.extensions().get::<SessionSlot>().unwrap().load().await.unwrap();
        session.set("n", &1).unwrap();
        Err::<Response<String>, _>("broken")
    });
    let service = SessionLayer::new(world.sessions.clone()).layer(service);
    assert_eq!(service.oneshot(Request::new(())).await.unwrap_err(), "broken");
    assert_eq!(world.rows().await, 0);
}

#[tokio::test]
async fn one_slot_is_one_session_whoever_asks() {
    let world = World::new();
    let service = service_fn(|request: Request<()>| async move {
        let slot = request.extensions().get::<SessionSlot>().unwrap().clone();
        let (one, other) = (slot.load().await.unwrap(), slot.clone().load().await.unwrap());
        one.set("n", &1).unwrap();
        Ok::<_, Infallible>(Response::new(other.has("n").to_string()))
    });
    let service = SessionLayer::new(world.sessions.clone()).layer(service);
    assert_eq!(service.oneshot(Request::new(())).await.unwrap().body(), "true");
}
