//! Every attack that the documents say is answered has a test of the name they say.

use std::collections::HashSet;

use super::Finding;
use super::roster;
use super::tree::{Tree, cells, code_spans, lines};

const PATH: &str = "docs/concepts/attacks.md";

/// Rows are `| attack | what answers it | tests |`, the tests between backticks.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else {
        return vec![Finding::new(PATH, 1, "is not there")];
    };
    let tests = roster::all(tree);
    let names = tests.iter().map(|test| test.name.as_str()).collect();
    let rows = lines(text).filter_map(|(line, text)| Some((line, cells(text)?))).skip(1);
    rows.flat_map(|(line, cells)| row(line, &cells, &names)).collect()
}

fn row(line: usize, cells: &[&str], names: &HashSet<&str>) -> Vec<Finding> {
    let named: Vec<_> = cells.last().map(|cell| code_spans(cell).collect()).unwrap_or_default();
    if named.is_empty() {
        return vec![Finding::new(PATH, line, "an attack without a test")];
    }
    let unknown = |name: &&str| !names.contains(name.rsplit("::").next().unwrap_or(name));
    let message = |name: &str| Finding::new(PATH, line, format!("there is no test `{name}`"));
    named.into_iter().filter(unknown).map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_not_there_is_found_and_one_that_is_there_is_not() {
        let table = "| attack | answer | tests |\n|---|---|---|\n\
                     | theft | proof | `key::it_holds`, `it_is_gone` |\n| other | none | later |\n";
        let code = "#[test]\nfn it_holds() {}\n";
        let findings = check(&Tree::of(&[(PATH, table), ("a.rs", code)]));
        let told: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "docs/concepts/attacks.md:3: there is no test `it_is_gone`",
                "docs/concepts/attacks.md:4: an attack without a test",
            ]
        );
    }

    #[test]
    fn the_document_must_be_there() {
        assert_eq!(check(&Tree::default()).len(), 1);
    }
}
