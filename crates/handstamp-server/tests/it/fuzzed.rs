//! An API fuzzer against the OpenAPI document, as each kind of caller: no 5xx, no answer that the
//! document does not know, no credential that is ignored.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::world::World;

/// Where the fuzzer is, set by `cargo xtask test`, which installs it.
const PROGRAM: &str = "SCHEMATHESIS";

/// What is checked of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,negative_data_rejection,unsupported_method,ignored_auth";

async fn fuzz(settings: &[(&str, &str)], token: impl AsyncFnOnce(&World) -> String) {
    let Some(program) = std::env::var_os(PROGRAM) else {
        panic!("{PROGRAM} is not set: run the tests by `cargo xtask test`, which installs it");
    };
    let world = World::with(settings).await;
    let authorization = format!("Authorization: Bearer {}", token(&world).await);
    let output = Command::new(program)
        .arg("run")
        .arg(format!("{}/openapi.json", world.url))
        .args(["--header", &authorization, "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--seed", "1"])
        .args(["--max-examples", "8", "--workers", "1", "--no-color", "--max-time", "120"])
        // Streams have no end.
        .args(["--exclude-path-regex", "(events|revocations)$"])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}

const SETTINGS: [(&str, &str); 2] = [("guests.enabled", "true"), ("limits.refresh", "none")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_holds_for_an_operator() {
    fuzz(&SETTINGS, async |world| world.admin.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_holds_for_a_service() {
    fuzz(&SETTINGS, async |world| world.key.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_holds_for_a_holder() {
    let body = json!({ "subject": "ada", "roles": ["editor"] });
    fuzz(&SETTINGS, async |world| world.begin_with(body).await.access_token.into_exposed()).await;
}
