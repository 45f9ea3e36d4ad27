//! The layers inside the engine: a module uses only modules of its own row or lower ones.

use super::Finding;
use super::source::{code, word};
use super::tree::{Tree, lines};

const ENGINE: &str = "crates/handstamp-core/src/";

/// The modules of the engine, from the highest row to the lowest.
const ROWS: &[&[&str]] = &[
    &["conformance"],
    &["manager"],
    &["session"],
    &["engine"],
    &["coherence", "commit", "touch"],
    &["cache", "watch"],
    &["testing"],
    &["delta", "sign_in"],
    &["error", "ledger", "transfer"],
    &["store"],
    &["chain"],
    &["event"],
    &["policy", "csrf"],
    &["config", "head"],
    &["token", "verdict"],
    &["record"],
    &["key", "data", "roles"],
    &["id"],
    &["encoding", "random", "text", "time"],
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.below(ENGINE)
        .filter(|(path, _)| path.ends_with(".rs") && !is_for_tests(path))
        .flat_map(|(path, text)| of_file(path, text))
        .collect()
}

/// Whether a file is compiled for tests only: a module's `tests` or `model`.
fn is_for_tests(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "model"))
}

fn of_file(path: &str, text: &str) -> Vec<Finding> {
    let module = word(&path[ENGINE.len()..]);
    if module == "lib" {
        return Vec::new();
    }
    let Some(from) = row(module) else {
        let message = format!("module {module} has no place in the engine's layers (xtask)");
        return vec![Finding::new(path, 1, message)];
    };
    let is_above = |used: &str| row(used).is_some_and(|to| to < from);
    uses(text)
        .filter(|(_, used)| is_above(used))
        .map(|(line, used)| Finding::new(path, line, format!("{module} must not use {used}")))
        .collect()
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// What stands behind each `crate::`, outside of comments and of the file's own tests:
/// `crate::a::B` and `crate::{a, b::C}`.
fn uses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    lines(text).take_while(|(_, text)| text.trim() != "mod tests {").flat_map(|(line, text)| {
        let paths = code(text).split("crate::").skip(1);
        paths.flat_map(move |path| heads(path).map(move |head| (line, head)))
    })
}

/// The first word of a path, or the first word of each path of a group.
fn heads(path: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let parts = path.split_inclusive(['{', '}', ',']).filter(move |part| {
        let is_outer = depth <= 1;
        depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
        is_outer
    });
    let limit = if path.starts_with('{') { usize::MAX } else { 1 };
    parts.map(|part| word(part.trim())).filter(|head| !head.is_empty()).take(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        let path = format!("{ENGINE}{path}");
        let findings = check(&Tree::of(&[(&path, text)]));
        findings.into_iter().map(|it| format!("{}: {}", it.line, it.message)).collect()
    }

    #[test]
    fn a_module_may_use_its_own_row_and_what_lies_below() {
        assert!(
            told("head.rs", "use crate::id::SessionId;\nuse crate::config::Limit;\n").is_empty()
        );
        assert_eq!(
            told("record.rs", "\nuse crate::session::Session;\n"),
            ["2: record must not use session"]
        );
    }

    #[test]
    fn the_store_never_uses_the_manager_wherever_it_stands() {
        let text = "fn f(m: &crate::manager::SessionManager) {}\n";
        assert_eq!(told("store/memory.rs", text), ["1: store must not use manager"]);
    }

    #[test]
    fn comments_are_no_uses() {
        assert!(told("store/mod.rs", "/// See [`x`](crate::manager).\n").is_empty());
    }

    #[test]
    fn a_module_without_a_place_is_found_and_the_root_needs_none() {
        assert_eq!(told("extra.rs", "").len(), 1);
        assert!(told("lib.rs", "pub use crate::manager::SessionManager;").is_empty());
    }

    #[test]
    fn each_path_of_a_group_counts_by_its_first_word() {
        let heads = |path| heads(path).collect::<Vec<_>>();
        assert_eq!(heads("{id::Subject, record::{Record, Kind}, time};"), ["id", "record", "time"]);
        assert_eq!(heads("store::{Batch, Group};"), ["store"]);
    }
}
