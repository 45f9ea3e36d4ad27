//! Traces, as a receiver of OpenTelemetry gets them.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::world::{World, send};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A receiver on this machine: its address, and what it is sent.
async fn receiver() -> (String, UnboundedReceiver<String>) {
    let (sender, sent) = unbounded_channel();
    let take = move |body: String| async move {
        let _ = sender.send(body);
        "{}"
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, sent)
}

/// Everything that comes until a span has this name; answers that span and all the text.
async fn until(sent: &mut UnboundedReceiver<String>, name: &str) -> (Value, String) {
    let mut all = String::new();
    loop {
        let body = tokio::time::timeout(Duration::from_secs(20), sent.recv()).await;
        let body = body.unwrap().unwrap();
        all.push_str(&body);
        let export: Value = serde_json::from_str(&body).unwrap();
        let spans =
            export["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        if let Some(span) = spans.into_iter().find(|span| span["name"] == name) {
            return (span, all);
        }
    }
}

#[tokio::test]
async fn a_request_is_a_span_that_tells_no_secret_and_nobody() {
    let (url, mut sent) = receiver().await;
    let world = World::with(&[("telemetry.otlp_endpoint", &url)]).await;
    let client = json!({ "ip_address": "203.0.113.7", "user_agent": "Telltale/1.0" });
    // Not a name that could be part of a number in hexadecimal.
    let begun = world.begin_with(json!({ "subject": "mina", "client": client })).await;
    world.refresh(begun.refresh_token.expose()).await;
    let path = format!("/admin/sessions/{}/suspend?q=telltale", begun.session.id);
    let asked = world.post(&path).bearer_auth(&world.admin).header("traceparent", PARENT);
    let answer = send(asked.json(&json!({ "reason": "telltale" }))).await;
    let (span, all) = until(&mut sent, "POST /admin/sessions/{id}/suspend").await;
    assert_eq!(span["kind"], 2);
    let attributes = json!([
        { "key": "http.request.method", "value": { "stringValue": "POST" } },
        { "key": "http.route", "value": { "stringValue": "/admin/sessions/{id}/suspend" } },
        { "key": "http.response.status_code", "value": { "intValue": answer.status.to_string() } },
    ]);
    assert_eq!(span["attributes"], attributes);
    assert!(all.contains("POST /sessions/refresh"), "{all}");
    assert!(!all.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "a trace that anybody names");
    let secrets = [
        begun.access_token.expose(),
        begun.refresh_token.expose(),
        &world.key,
        &world.admin,
        &begun.session.id,
        "mina",
        "203.0.113.7",
        "elltale",
        "127.0.0.1",
    ];
    for secret in secrets {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[tokio::test]
async fn a_trace_goes_on_where_a_trusted_proxy_says_so() {
    let (url, mut sent) = receiver().await;
    let settings = [
        ("telemetry.otlp_endpoint", url.as_str()),
        ("telemetry.service_name", "sessions-of-the-fair"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ];
    let world = World::with(&settings).await;
    send(world.get("/healthz").header("traceparent", PARENT.replace("-01", "-00"))).await;
    send(world.get("/readyz").header("traceparent", PARENT)).await;
    let (span, all) = until(&mut sent, "GET /readyz").await;
    assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span["parentSpanId"], "00f067aa0ba902b7");
    assert!(all.contains("sessions-of-the-fair"), "{all}");
    assert!(!all.contains("/healthz"), "whoever began the trace does not keep it: {all}");
}

#[tokio::test]
async fn a_receiver_that_is_away_holds_nobody_up() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{gone}");
    let world = World::with(&[("telemetry.otlp_endpoint", &url)]).await;
    let begun = world.begin("ada").await;
    assert_eq!(world.status(begun.access_token.expose()).await.json["is_active"], true);
}
