//! Spans as OTLP has them in JSON (OpenTelemetry Protocol 1.x, "OTLP/HTTP, JSON Protobuf
//! Encoding"): names of attributes by the semantic conventions for HTTP.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value as Json, json};

use super::Span;

/// `SPAN_KIND_SERVER`.
const SERVER: u8 = 2;

/// `STATUS_CODE_ERROR`; what is not set is neither good nor bad.
const ERROR: u8 = 2;

/// The body of an export.
pub(super) fn export(service: &str, spans: &[Span]) -> Json {
    let version = env!("CARGO_PKG_VERSION");
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", service),
            text("service.version", version),
        ] },
        "scopeSpans": [{
            "scope": { "name": "handstamp", "version": version },
            "spans": spans.iter().map(one).collect::<Vec<_>>(),
        }],
    }] })
}

fn one(span: &Span) -> Json {
    let method = known(&span.method);
    let began = i128::from(span.began.as_millis()) * 1_000_000;
    let ended = began.saturating_add_unsigned(span.took.as_nanos());
    let mut attributes = vec![text("http.request.method", method)];
    if let Some(route) = &span.route {
        attributes.push(text("http.route", route));
    }
    attributes.push(json!({
        "key": "http.response.status_code",
        // 64-bit numbers are texts in Protobuf's JSON.
        "value": { "intValue": span.status.to_string() },
    }));
    let mut shown = json!({
        "traceId": hex(&span.trace),
        "spanId": hex(&span.id),
        "name": span.route.as_ref().map_or_else(|| method.into(), |route| format!("{method} {route}")),
        "kind": SERVER,
        "startTimeUnixNano": began.to_string(),
        "endTimeUnixNano": ended.to_string(),
        "attributes": attributes,
        "status": if span.status >= 500 { json!({ "code": ERROR }) } else { json!({}) },
    });
    if let Some(parent) = &span.parent {
        shown["parentSpanId"] = hex(parent).into();
    }
    shown
}

/// A method that HTTP does not know is what a client made up: it is not passed on.
fn known(method: &Method) -> &str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    if KNOWN.contains(method) { method.as_str() } else { "_OTHER" }
}

fn text(key: &str, value: &str) -> Json {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use handstamp_core::time::Timestamp;

    use super::*;

    fn span(method: Method, route: Option<&str>, status: u16) -> Json {
        one(&Span {
            trace: [0xab; 16],
            id: [1; 8],
            parent: None,
            method,
            route: route.map(Into::into),
            status,
            began: Timestamp::from_millis(1_800_000_000_000),
            took: Duration::from_nanos(2_500),
        })
    }

    #[test]
    fn a_span_is_written_as_the_protocol_has_it() {
        let span = span(Method::GET, Some("/sessions/{id}"), 404);
        assert_eq!(span["name"], "GET /sessions/{id}");
        assert_eq!(span["traceId"], "ab".repeat(16));
        assert_eq!(span["startTimeUnixNano"], "1800000000000000000");
        assert_eq!(span["endTimeUnixNano"], "1800000000000002500");
        assert_eq!(span["attributes"][2]["value"]["intValue"], "404");
        assert_eq!(span["status"], json!({}), "that somebody asked for nothing is no fault");
        assert_eq!(span.get("parentSpanId"), None);
    }

    #[test]
    fn a_fault_is_told_and_what_a_client_made_up_is_not() {
        let method = Method::from_bytes(b"BREW").unwrap();
        let span = span(method, None, 503);
        assert_eq!((&span["name"], &span["status"]["code"]), (&json!("_OTHER"), &json!(ERROR)));
        assert_eq!(span["attributes"].as_array().unwrap().len(), 2);
    }
}
