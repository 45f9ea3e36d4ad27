//! The tests of the service once more: on PostgreSQL, with two services that share it and take
//! requests by turns.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::shell;

/// What is run: whatever several services could get wrong. The rest is about parsing, texts and
/// looks, which no store changes.
const MODULES: [&str; 16] = [
    "admin::",
    "audit::",
    "begin::",
    "bounds::",
    "callers::",
    "csrf::",
    "ends::",
    "events::",
    "holder::",
    "mine::",
    "problems::",
    "races::",
    "random::",
    "refresh::",
    "services::",
    "signed::",
];

/// What is not: tests of files and of what each service has of its own.
const LEFT_OUT: [&str; 5] = [
    // Both look after what is old, and either or both tell of it.
    "audit::s106_what_is_old",
    // These change tables of SQLite.
    "audit::s106_a_changed_event",
    "audit::s106_a_tail",
    "audit::s106_events_in_another",
    "audit::s106_what_was_changed",
];

/// The command that runs them, those of these names only if there are any.
///
/// # Errors
/// They could not be built.
pub(crate) fn tests(filter: &[String], fuzzer: &Path) -> Result<Command, String> {
    eprintln!("\n── the service on PostgreSQL, with two nodes");
    let mut command = shell::command(binary()?);
    command.current_dir(shell::root().join("crates/handstamp-server"));
    command.env("HANDSTAMP_TEST_STORE", "postgres").env("SCHEMATHESIS", fuzzer);
    match filter {
        [] => command.args(MODULES),
        _ => command.args(filter),
    };
    command.args(LEFT_OUT.iter().flat_map(|name| ["--skip", name]));
    Ok(command)
}

/// Where the tests of the service are, which have been built already.
fn binary() -> Result<PathBuf, String> {
    let mut cargo = shell::cargo();
    cargo.args(["test", "--workspace", "--all-features", "--no-run"]);
    let messages = shell::read(cargo.args(["--message-format", "json-render-diagnostics"]))?;
    let built = messages.lines().find_map(of_service);
    built.ok_or_else(|| "cargo built no tests of handstamp-server".into())
}

/// The path of the tests in a message of cargo's, if it is the one about them.
fn of_service(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_of_service = message["manifest_path"].as_str()?.contains("/handstamp-server/");
    let is_it = message["target"]["name"] == "it" && message["target"]["kind"][0] == "test";
    let path = message["executable"].as_str().map(PathBuf::from);
    path.filter(|_| is_of_service && is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_the_service_are_told_from_those_of_others() {
        let message = |folder: &str, kind: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/crates/{folder}/Cargo.toml",
                   "target":{{"kind":["{kind}"],"name":"it"}},"executable":"/t/it"}}"#
            )
        };
        assert_eq!(of_service(&message("handstamp-server", "test")), Some("/t/it".into()));
        assert_eq!(of_service(&message("handstamp-core", "test")), None);
        assert_eq!(of_service(&message("handstamp-server", "lib")), None);
        assert_eq!(of_service("not json"), None);
    }
}
