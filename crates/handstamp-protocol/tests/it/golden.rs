//! Each file of `tests/golden` is read as its type and written back equal. What callers send
//! refuses a field that it does not know; what the service answers ignores it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use handstamp_protocol::{
    Problem, admin, analytics, csrf, events, failures, feed, health, introspect, logs, policy,
    refresh, service_keys, sessions, status, step_up, subjects, tokens, verify, webhooks, why,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn file(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn reads_back<T: Serialize + DeserializeOwned>(name: &str) -> Value {
    let file = file(name);
    let read: T = serde_json::from_value(file.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), file, "{name}");
    file
}

fn with_a_field_more(mut file: Value) -> Value {
    file.as_object_mut().unwrap().insert("later".into(), json!({"any": 1}));
    file
}

/// What a caller sends.
fn request<T: Serialize + DeserializeOwned>(name: &str) {
    let file = reads_back::<T>(name);
    let text = with_a_field_more(file).to_string();
    assert!(serde_json::from_str::<T>(&text).is_err(), "{name} takes an unknown field");
}

/// What the service answers.
fn answer<T: Serialize + DeserializeOwned>(name: &str) {
    let file = reads_back::<T>(name);
    let read: T = serde_json::from_value(with_a_field_more(file.clone())).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), file, "{name}");
}

type Check = fn(&str);

const FILES: &[(&str, Check)] = &[
    ("access_claims.json", answer::<tokens::AccessClaims>),
    ("access_claims_reserved.json", answer::<tokens::AccessClaims>),
    ("admin_sessions_query.json", request::<admin::AdminSessionsQuery>),
    ("analytics.json", answer::<analytics::Analytics>),
    ("analytics_query.json", request::<analytics::AnalyticsQuery>),
    ("assertion_claims.json", answer::<verify::AssertionClaims>),
    ("begin_request.json", request::<sessions::BeginRequest>),
    ("cookie_answer.json", answer::<sessions::Issued>),
    ("csrf_answer.json", answer::<csrf::CsrfAnswer>),
    ("delivery.json", answer::<webhooks::Delivery>),
    ("delivery_list.json", answer::<webhooks::DeliveryList>),
    ("dry_run_answer.json", answer::<policy::DryRunAnswer>),
    ("dry_run_request.json", request::<policy::DryRunRequest>),
    ("end_answer.json", answer::<admin::EndAnswer>),
    ("end_request.json", request::<admin::EndRequest>),
    ("end_request_ids.json", request::<admin::EndRequest>),
    ("ended_answer.json", answer::<sessions::EndedAnswer>),
    ("ended_count.json", answer::<sessions::EndedCount>),
    ("failure_answer.json", answer::<failures::FailureAnswer>),
    ("failure_request.json", request::<failures::FailureRequest>),
    ("feed_query.json", request::<feed::FeedQuery>),
    ("guest_request.json", request::<sessions::GuestRequest>),
    ("health.json", answer::<health::Health>),
    ("heartbeat.json", answer::<feed::Heartbeat>),
    ("holder_event.json", answer::<events::HolderEvent>),
    ("introspection.json", answer::<introspect::Introspection>),
    ("introspection_inactive.json", answer::<introspect::Introspection>),
    ("jwks.json", answer::<tokens::Jwks>),
    ("label_request.json", request::<sessions::LabelRequest>),
    ("label_request_none.json", request::<sessions::LabelRequest>),
    ("log_list.json", answer::<logs::LogList>),
    ("logout_all_request.json", request::<sessions::LogoutAllRequest>),
    ("logout_request.json", request::<sessions::LogoutRequest>),
    ("logs_query.json", request::<logs::LogsQuery>),
    ("logs_verified.json", answer::<logs::LogsVerified>),
    ("my_sessions_query.json", request::<sessions::MySessionsQuery>),
    ("problem_bad_request.json", answer::<Problem>),
    ("problem_expired.json", answer::<Problem>),
    ("problem_step_up.json", answer::<Problem>),
    ("problem_store.json", answer::<Problem>),
    ("refresh_request.json", request::<refresh::RefreshRequest>),
    ("roles_request.json", request::<subjects::RolesRequest>),
    ("service_key.json", answer::<service_keys::ServiceKey>),
    ("service_key_created.json", answer::<service_keys::ServiceKeyCreated>),
    ("session.json", answer::<sessions::Session>),
    ("session_ended.json", answer::<sessions::Session>),
    ("session_list.json", answer::<sessions::SessionList>),
    ("snapshot.json", answer::<feed::Snapshot>),
    ("status_active.json", answer::<status::Status>),
    ("status_inactive.json", answer::<status::Status>),
    ("step_up_answer.json", answer::<step_up::StepUpAnswer>),
    ("step_up_request.json", request::<step_up::StepUpRequest>),
    ("subject_answer.json", answer::<subjects::SubjectAnswer>),
    ("subject_request.json", request::<subjects::SubjectRequest>),
    ("suspend_request.json", request::<admin::SuspendRequest>),
    ("suspended_answer.json", answer::<admin::SuspendedAnswer>),
    ("token_answer.json", answer::<sessions::Issued>),
    ("token_request.json", request::<introspect::TokenRequest>),
    ("undo_answer.json", answer::<admin::UndoAnswer>),
    ("verify_query.json", request::<verify::VerifyQuery>),
    ("webhook.json", answer::<webhooks::Webhook>),
    ("webhook_list.json", answer::<webhooks::WebhookList>),
    ("webhook_request.json", request::<webhooks::WebhookRequest>),
    ("webhook_test.json", answer::<webhooks::WebhookTest>),
    ("webhook_update.json", request::<webhooks::WebhookUpdate>),
    ("why.json", answer::<why::Why>),
    ("why_live.json", answer::<why::Why>),
    ("why_request.json", request::<why::WhyRequest>),
];

#[test]
fn every_golden_file_is_read_as_its_type_and_written_back_equal() {
    FILES.iter().for_each(|(name, check)| check(name));
}

#[test]
fn every_golden_file_is_looked_at() {
    let listed: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let entries = fs::read_dir(folder()).unwrap();
    let found: BTreeSet<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, listed);
}

#[test]
fn what_may_be_left_out_of_a_request_may_be_left_out() {
    let begin: sessions::BeginRequest = serde_json::from_str(r#"{"subject":"ada"}"#).unwrap();
    assert!(begin.kind.is_none() && begin.client == sessions::Client::default());
    serde_json::from_str::<refresh::RefreshRequest>("{}").unwrap();
    serde_json::from_str::<failures::FailureRequest>(r#"{"reason":"bad_password"}"#).unwrap();
}

#[test]
fn codes_reasons_and_kinds_of_a_later_service_are_read() {
    let mut session = file("session_ended.json");
    session["kind"] = "robot".into();
    session["ended"]["reason"] = "eclipse".into();
    let read: sessions::Session = serde_json::from_value(session.clone()).unwrap();
    assert_eq!(read.kind, sessions::Kind::Other("robot".into()));
    assert_eq!(serde_json::to_value(&read).unwrap(), session);

    let mut problem = file("problem_expired.json");
    problem["code"] = "TOO_LATE".into();
    let read: Problem = serde_json::from_value(problem).unwrap();
    assert_eq!(read.code.as_str(), "TOO_LATE");
}

#[test]
fn a_status_says_whether_it_is_active_by_its_own_field() {
    let mut active = file("status_active.json");
    assert!(serde_json::from_value::<status::Status>(active.clone()).unwrap().is_active());
    active["is_active"] = false.into();
    active["message"] = "over".into();
    assert!(!serde_json::from_value::<status::Status>(active).unwrap().is_active());
}

#[test]
fn the_token_and_the_cookie_answer_are_told_apart() {
    let read = |name| serde_json::from_value::<sessions::Issued>(file(name)).unwrap();
    assert!(matches!(read("token_answer.json"), sessions::Issued::Token(_)));
    assert!(matches!(read("cookie_answer.json"), sessions::Issued::Cookie(_)));
    assert_eq!(read("cookie_answer.json").session().transport, sessions::Transport::Cookie);
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let text = r#"{"token":"a","token":"b"}"#;
    assert!(serde_json::from_str::<introspect::TokenRequest>(text).is_err());
}

#[test]
fn s80_debug_shows_no_token() {
    let issued: sessions::Issued = serde_json::from_value(file("token_answer.json")).unwrap();
    let begin: sessions::BeginRequest = serde_json::from_value(file("begin_request.json")).unwrap();
    let key: service_keys::ServiceKeyCreated =
        serde_json::from_value(file("service_key_created.json")).unwrap();
    let shown = format!("{issued:?} {begin:?} {key:?}");
    for secret in ["a.b.c", "hsr_example", "hsk_example"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
