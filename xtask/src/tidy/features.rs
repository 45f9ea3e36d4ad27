//! Every feature that `docs/features.md` calls done is shown by a test that carries its id.

use super::Finding;
use super::roster::{self, Test};
use super::tree::{Tree, cells, code_spans, lines};

const PATH: &str = "docs/features.md";

/// Rows are `| N01 | what | done or missing | tests |`; the tests, between backticks, are optional.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else {
        return vec![Finding::new(PATH, 1, "is not there")];
    };
    let tests = roster::all(tree);
    rows(text).flat_map(|(line, cells)| row(line, &cells, &tests)).collect()
}

/// The ids of the rows that no test shows.
pub(super) fn unshown(tree: &Tree) -> Vec<&str> {
    let tests = roster::all(tree);
    let ids = tree.text(PATH).into_iter().flat_map(rows).map(|(_, cells)| cells[0]);
    ids.filter(|id| !tests.iter().any(|test| test.shows(id))).collect()
}

fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    lines(text)
        .filter_map(|(line, text)| Some((line, cells(text)?)))
        .filter(|(_, cells)| cells.first().is_some_and(|cell| is_id(cell)))
}

/// A capital and two digits: `N01`.
fn is_id(cell: &str) -> bool {
    let (letter, digits) = cell.split_at_checked(1).unwrap_or_default();
    letter.chars().all(|c| c.is_ascii_uppercase())
        && digits.len() == 2
        && digits.chars().all(|c| c.is_ascii_digit())
}

fn row(line: usize, cells: &[&str], tests: &[Test]) -> Vec<Finding> {
    let (id, state) = (cells[0], cells.get(2).copied().unwrap_or_default());
    let finding = |message| Finding::new(PATH, line, message);
    match state {
        "missing" => Vec::new(),
        "done" => {
            let is_shown = tests.iter().any(|test| test.shows(id));
            let unshown = (!is_shown).then(|| finding(format!("{id} is done, says no test")));
            let is_there = |name: &&str| tests.iter().any(|test| test.name == *name);
            let named = cells.get(3).into_iter().flat_map(|cell| code_spans(cell));
            let absent = named.filter(|name| !is_there(name));
            let absent = absent.map(|name| finding(format!("there is no test `{name}`")));
            unshown.into_iter().chain(absent).collect()
        }
        _ => vec![finding(format!("{id} is neither done nor missing but `{state}`"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_row_needs_a_test_that_carries_its_id() {
        let table = "| id | feature | state | tests |\n|---|---|---|---|\n\
                     | N01 | manager | done | `n01_it_starts` |\n\
                     | N02 | data | done | |\n\
                     | N03 | layer | missing | |\n\
                     | N04 | saves | nearly | |\n\
                     | N05 | flash | done | `n05_gone` |\n";
        let code = "#[test]\nfn n01_it_starts() {}\n/// Of N05.\n#[test]\nfn flash() {}\n";
        let tree = Tree::of(&[(PATH, table), ("tests/a.rs", code)]);
        let findings = check(&tree);
        let told: Vec<_> = findings.iter().map(|it| (it.line, it.message.as_str())).collect();
        assert_eq!(unshown(&tree), ["N02", "N03", "N04"]);
        assert_eq!(
            told,
            [
                (4, "N02 is done, says no test"),
                (6, "N04 is neither done nor missing but `nearly`"),
                (7, "there is no test `n05_gone`"),
            ]
        );
    }

    #[test]
    fn ids_are_a_capital_and_two_digits() {
        assert!(is_id("X08") && !is_id("id") && !is_id("N1") && !is_id("é01") && !is_id(""));
    }
}
