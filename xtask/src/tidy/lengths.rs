//! No Rust file outside of tests is longer than a reader can hold.

use super::Finding;
use super::tree::Tree;

const MOST_LINES: usize = 600;

/// Files that may be longer, each with its reason.
const LONGER: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let too_long = tree
        .ending(".rs")
        .filter(|(path, _)| !is_test(path) && !LONGER.iter().any(|(longer, _)| longer == path))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, count)| *count > MOST_LINES)
        .map(|(path, count)| {
            Finding::new(path, count, format!("{count} lines, {MOST_LINES} at most"))
        });
    let stale = LONGER
        .iter()
        .filter(|(path, _)| tree.text(path).is_none_or(|text| text.lines().count() <= MOST_LINES))
        .map(|(path, _)| Finding::new(*path, 1, "needs no exception for its length (xtask)"));
    too_long.chain(stale).collect()
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_found_outside_of_tests() {
        let (good, long) = ("\n".repeat(MOST_LINES), "\n".repeat(MOST_LINES + 1));
        let files = [("src/a.rs", &*good), ("src/b.rs", &*long), ("tests/c.rs", &*long)];
        let findings = check(&Tree::of(&files));
        assert_eq!(findings, [Finding::new("src/b.rs", 601, "601 lines, 600 at most")]);
    }
}
