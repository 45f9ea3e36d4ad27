//! Every clause of a contract has exactly one conformance function of its number.

use std::collections::BTreeMap;

use super::Finding;
use super::roster::{LETTERS, clause_functions, is_conformance};
use super::tree::{Tree, lines};

/// The files whose traits are contracts.
const CONTRACTS: [&str; 3] = [
    "crates/handstamp-core/src/store/mod.rs",
    "crates/handstamp-core/src/transfer/portable.rs",
    "crates/handstamp-core/src/ledger/mod.rs",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let there = CONTRACTS.iter().filter_map(|path| Some((*path, tree.text(path)?)));
    let clauses: Vec<_> = there.flat_map(|(path, text)| clauses(path, text)).collect();
    let functions = functions(tree);
    let mut findings = Vec::new();
    for Clause { path, line, number } in &clauses {
        let count = functions.get(*number).map_or(0, Vec::len);
        if count != 1 {
            let message = format!("clause {number} has {count} conformance functions, not one");
            findings.push(Finding::new(*path, *line, message));
        }
        if clauses.iter().filter(|other| other.number == *number).count() > 1 {
            findings.push(Finding::new(*path, *line, format!("clause {number} stands twice")));
        }
    }
    let known = |number: &str| clauses.iter().any(|known| known.number == number);
    findings.extend(
        functions
            .iter()
            .filter(|(clause, _)| !known(clause))
            .flat_map(|(clause, places)| places.iter().map(move |place| (clause, place)))
            .map(|(clause, (path, line))| {
                Finding::new(path, *line, format!("the contract has no clause {clause}"))
            }),
    );
    findings
}

/// The places of the conformance functions, by clause.
fn functions(tree: &Tree) -> BTreeMap<String, Vec<(String, usize)>> {
    let mut functions = BTreeMap::<_, Vec<_>>::new();
    for (path, text) in tree.files().filter(|(path, _)| is_conformance(path)) {
        for (line, name) in clause_functions(text) {
            functions.entry(name[..3].to_uppercase()).or_default().push((path.to_owned(), line));
        }
    }
    functions
}

/// Where a clause stands.
struct Clause<'a> {
    path: &'a str,
    line: usize,
    number: &'a str,
}

/// Lines such as `/// - **C07** An insert …`.
fn clauses<'a>(path: &'a str, text: &'a str) -> impl Iterator<Item = Clause<'a>> {
    lines(text).filter_map(move |(line, text)| {
        let number = text.trim().strip_prefix("/// - **")?.split("**").next()?;
        let is_clause = number.strip_prefix(LETTERS)?.parse::<u8>().is_ok();
        is_clause.then_some(Clause { path, line, number })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_clause_has_one_function_and_each_function_a_clause() {
        let contract = "/// - **C01** load\n/// - **C02** commit\n/// - **C03** touch\n";
        let suite = "pub fn c01_loads() {}\nfn c02_a() {}\nfn c02_b() {}\nfn c09_none() {}\n";
        let path = "crates/handstamp-core/src/conformance.rs";
        let findings = check(&Tree::of(&[(CONTRACTS[0], contract), (path, suite)]));
        let told: Vec<_> = findings.iter().map(|it| (it.line, it.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (2, "clause C02 has 2 conformance functions, not one"),
                (3, "clause C03 has 0 conformance functions, not one"),
                (4, "the contract has no clause C09"),
            ]
        );
    }

    #[test]
    fn a_clause_that_stands_twice_is_found() {
        let contract = "/// - **C01** load\n/// - **C01** commit\n";
        let findings = check(&Tree::of(&[(CONTRACTS[0], contract)]));
        assert_eq!(findings.iter().filter(|it| it.message.contains("twice")).count(), 2);
    }
}
