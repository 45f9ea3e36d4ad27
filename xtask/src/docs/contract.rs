//! The contracts: their clauses, each with the function of the suite that tests it.

use super::items::plain;
use super::{columns, head, row, source};
use crate::tidy::roster::{clause_functions, is_conformance};
use crate::tidy::tree::Tree;

const STORE: &str = "crates/handstamp-core/src/store/mod.rs";
const PORTABLE: &str = "crates/handstamp-core/src/transfer/portable.rs";
const LEDGER: &str = "crates/handstamp-core/src/ledger/mod.rs";

const COLUMNS: [&str; 3] = ["clause", "what it says", "test"];

const ABOUT_STORE: &str = "
What the engine asks of whatever keeps its records. *Live* means: not a tombstone. A store runs the
whole suite with one line, `handstamp_core::conformance_suite!(…)` (feature `conformance`), and gets
one test for each clause, of the name in the last column.
";

const ABOUT_PORTABLE: &str = "
## Taking it elsewhere

What `handstamp store copy` asks of a store beyond that (trait `Portable`). Such a store runs
`handstamp_core::portable_suite!(…)` as well.
";

const ABOUT_LEDGER: &str = "
What a service asks of whatever keeps its own documents beside sessions. A ledger runs the whole
suite with one line, `handstamp_core::ledger_suite!(…)` (feature `conformance`), and gets one test
for each clause, of the name in the last column.
";

/// The page of the store contract.
pub(super) fn store(tree: &Tree) -> Result<String, String> {
    let page = add(tree, STORE, head("The store contract", STORE) + ABOUT_STORE)?;
    add(tree, PORTABLE, page + ABOUT_PORTABLE + &columns(&COLUMNS))
}

/// The page of the ledger's contract.
pub(super) fn ledger(tree: &Tree) -> Result<String, String> {
    add(tree, LEDGER, head("The ledger's contract", LEDGER) + ABOUT_LEDGER)
}

/// Adds the clauses of the contract at `path` to a page.
fn add(tree: &Tree, path: &str, mut page: String) -> Result<String, String> {
    for line in parts(source(tree, path)?) {
        match line {
            Part::Heading(title) => {
                page.push_str(&format!("\n## {title}\n"));
                page.push_str(&columns(&COLUMNS));
            }
            Part::Clause { number, says } => {
                let test = test_of(tree, &number)
                    .ok_or_else(|| format!("{path}: clause {number} has no function"))?;
                page.push_str(&row(&[&number, &plain(&says), &format!("`{test}`")]));
            }
        }
    }
    Ok(page)
}

#[derive(PartialEq, Eq, Debug)]
enum Part {
    Heading(String),
    Clause { number: String, says: String },
}

/// Headings `**Loading.**`, clauses `- **C01** …` and the lines that go on with them.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for line in text.lines() {
        let Some(line) = line.trim().strip_prefix("/// ") else { continue };
        if let Some(title) = line.strip_prefix("**").and_then(|line| line.strip_suffix(".**")) {
            parts.push(Part::Heading(title.to_owned()));
        } else if let Some((number, says)) =
            line.strip_prefix("- **").and_then(|line| line.split_once("** "))
        {
            parts.push(Part::Clause { number: number.to_owned(), says: says.to_owned() });
        } else if let (Some(Part::Clause { says, .. }), Some(more)) =
            (parts.last_mut(), line.strip_prefix("  "))
        {
            *says = format!("{says} {more}");
        }
    }
    parts
}

fn test_of(tree: &Tree, number: &str) -> Option<String> {
    let begin = format!("{}_", number.to_lowercase());
    let suite = tree.files().filter(|(path, _)| is_conformance(path));
    let mut names = suite.flat_map(|(_, text)| clause_functions(text)).map(|(_, name)| name);
    names.find(|name| name.starts_with(&begin)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "/// Keeps records.\n///\n/// **Loading.**\n/// - **C01** `load` answers\n\
                        ///   with [`Found`] | nothing.\n///\n/// # Errors\n/// None.\n";

    #[test]
    fn a_clause_goes_on_over_its_lines_and_names_its_test() {
        let suite = "crates/handstamp-core/src/conformance/a.rs";
        let suite = (suite, "pub async fn c01_load_answers() {}");
        let tree = Tree::of(&[(STORE, TEXT), (PORTABLE, ""), suite]);
        let page = store(&tree).unwrap();
        assert!(page.contains("## Loading"));
        assert!(page.contains("| C01 | `load` answers with `Found` \\| nothing."), "{page}");
        assert!(page.contains("| `c01_load_answers` |"));
    }

    #[test]
    fn a_clause_without_a_function_makes_no_page() {
        assert!(store(&Tree::of(&[(STORE, TEXT)])).is_err());
    }
}
