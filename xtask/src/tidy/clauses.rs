//! Every clause of the store contract has exactly one conformance function of its number.

use std::collections::BTreeMap;

use super::Finding;
use super::roster::{clause_functions, is_conformance};
use super::tree::{Tree, lines};

const CONTRACT: &str = "crates/handstamp-core/src/store/mod.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let clauses: Vec<_> = tree.text(CONTRACT).into_iter().flat_map(clauses).collect();
    let functions = functions(tree);
    let mut findings = Vec::new();
    for (line, clause) in &clauses {
        let count = functions.get(*clause).map_or(0, Vec::len);
        if count != 1 {
            let message = format!("clause {clause} has {count} conformance functions, not one");
            findings.push(Finding::new(CONTRACT, *line, message));
        }
        if clauses.iter().filter(|(_, other)| other == clause).count() > 1 {
            findings.push(Finding::new(CONTRACT, *line, format!("clause {clause} stands twice")));
        }
    }
    let known = |clause: &str| clauses.iter().any(|(_, known)| *known == clause);
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

/// Lines such as `/// - **C07** An insert …`.
fn clauses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    lines(text).filter_map(|(line, text)| {
        let clause = text.trim().strip_prefix("/// - **")?.split("**").next()?;
        let is_clause = clause.strip_prefix('C')?.parse::<u8>().is_ok();
        is_clause.then_some((line, clause))
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
        let findings = check(&Tree::of(&[(CONTRACT, contract), (path, suite)]));
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
        let findings = check(&Tree::of(&[(CONTRACT, contract)]));
        assert_eq!(findings.iter().filter(|it| it.message.contains("twice")).count(), 2);
    }
}
