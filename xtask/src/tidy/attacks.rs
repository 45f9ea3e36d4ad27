//! Every test that a document names as its witness is there.

use std::collections::HashSet;

use super::Finding;
use super::roster;
use super::tree::{Tree, code_spans, rows};

/// A document of tables whose last column names tests, between backticks.
struct Document {
    path: &'static str,
    /// Whether a row may say, instead of naming a test, that there is none and why.
    may_be_open: bool,
}

const DOCUMENTS: [Document; 3] = [
    Document { path: "docs/concepts/attacks.md", may_be_open: false },
    Document { path: "docs/concepts/standards.md", may_be_open: true },
    Document { path: "docs/reference/durability.md", may_be_open: true },
];

/// How a row says that no test shows it.
const OPEN: [&str; 2] = ["not built", "not tried"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let tests = roster::all(tree);
    let names = tests.iter().map(|test| test.name.as_str()).collect();
    DOCUMENTS.iter().flat_map(|document| document.check(tree, &names)).collect()
}

impl Document {
    fn check(&self, tree: &Tree, names: &HashSet<&str>) -> Vec<Finding> {
        match tree.text(self.path) {
            Some(text) => {
                rows(text).flat_map(|(line, cells)| self.row(line, &cells, names)).collect()
            }
            None => vec![Finding::new(self.path, 1, "is not there")],
        }
    }

    fn row(&self, line: usize, cells: &[&str], names: &HashSet<&str>) -> Vec<Finding> {
        let last = cells.last().copied().unwrap_or_default();
        let named: Vec<_> = code_spans(last).collect();
        let is_open = self.may_be_open && OPEN.iter().any(|open| last.contains(open));
        if named.is_empty() && !is_open {
            return vec![Finding::new(self.path, line, "a row without a test")];
        }
        let unknown = |name: &&str| !names.contains(name.rsplit("::").next().unwrap_or(name));
        let message =
            |name: &str| Finding::new(self.path, line, format!("there is no test `{name}`"));
        named.into_iter().filter(unknown).map(message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACKS: &str = DOCUMENTS[0].path;
    const STANDARDS: &str = DOCUMENTS[1].path;
    const DURABILITY: &str = DOCUMENTS[2].path;

    #[test]
    fn a_test_that_is_not_there_is_found_and_one_that_is_there_is_not() {
        let attacks = "| attack | answer | tests |\n|---|---|---|\n\
                       | theft | proof | `key::it_holds`, `it_is_gone` |\n\
                       | other | none | not tried |\n";
        let standards = "| demand | answer | tests |\n|---|---|---|\n\
                         | a | b | `it_holds` |\n| c | | not built: d |\n| e | f | later |\n";
        let code = "#[test]\nfn it_holds() {}\n";
        let files = [(ATTACKS, attacks), (STANDARDS, standards), (DURABILITY, ""), ("a.rs", code)];
        let told: Vec<_> = check(&Tree::of(&files)).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "docs/concepts/attacks.md:3: there is no test `it_is_gone`",
                "docs/concepts/attacks.md:4: a row without a test",
                "docs/concepts/standards.md:5: a row without a test",
            ]
        );
    }

    #[test]
    fn the_documents_must_be_there() {
        assert_eq!(check(&Tree::default()).len(), DOCUMENTS.len());
    }
}
