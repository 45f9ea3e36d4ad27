//! JSON Schema of the wire: formats, and that requests are closed and answers open.

use handstamp_protocol::{Problem, sessions, tokens};
use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

#[test]
fn times_addresses_and_secrets_have_their_formats() {
    let session = schema::<sessions::Session>();
    let of = |name: &str| &session["properties"][name];
    assert_eq!(of("created_at")["format"], "date-time");
    assert_eq!(of("created_at")["type"], "string");
    assert_eq!(of("idle_expires_at")["format"], "date-time");
    assert_eq!(of("idle_expires_at")["type"], json!(["string", "null"]));
    assert_eq!(of("ip_address")["format"], "ip");
    assert_eq!(of("id")["type"], "string");
    let answer = schema::<sessions::TokenAnswer>();
    assert_eq!(answer["$defs"]["Secret"]["format"], "password");
}

#[test]
fn requests_are_closed_and_answers_are_open() {
    assert_eq!(schema::<sessions::BeginRequest>()["additionalProperties"], false);
    assert_eq!(schema::<sessions::BeginRequest>()["required"], json!(["subject"]));
    assert_eq!(schema::<sessions::Session>().get("additionalProperties"), None);
}

#[test]
fn names_that_may_grow_are_text_with_the_known_ones_as_examples() {
    let problem = schema::<Problem>();
    let code = &problem["$defs"]["ErrorCode"];
    assert_eq!(code["type"], "string");
    assert!(code["examples"].as_array().unwrap().contains(&"SESSION_ENDED".into()));
}

#[test]
fn every_field_is_described() {
    for schema in [schema::<sessions::Session>(), schema::<tokens::AccessClaims>()] {
        for (name, field) in schema["properties"].as_object().unwrap() {
            assert!(field.get("description").is_some(), "{name}: {field}");
        }
    }
}
