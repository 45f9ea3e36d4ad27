//! Words that are not to be committed: marks of unfinished work, paths of somebody's machine.

use super::Finding;
use super::source::has_word;
use super::tree::{Tree, lines};

/// Marks of unfinished work, in code. Written in halves, so that this file is clean.
const UNFINISHED: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("unimple", "mented!")];

/// A test that is not run.
const IGNORED: &str = concat!("#[ig", "nore");

/// Folders that exist on one machine only, and names of tools around it. In halves likewise.
const MACHINES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/tmp/", "hs"),
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!("../sha", "red"),
    concat!("bash_", "jobs"),
    concat!("farm-", "studio"),
    concat!("farm-", "bench"),
];

const CODE: &[&str] = &[".rs", ".mjs", ".js", ".ts", ".tsx", ".html", ".css", ".sql", ".sh"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files().filter(|(path, _)| !path.ends_with(".lock"));
    files.flat_map(|(path, text)| of_file(path, text)).collect()
}

fn of_file<'a>(path: &'a str, text: &'a str) -> impl Iterator<Item = Finding> + 'a {
    let is_code = CODE.iter().any(|end| path.ends_with(end));
    lines(text).filter_map(move |(line, text)| {
        let unfinished = UNFINISHED.iter().find(|word| is_code && has_word(text, word));
        let ignored = (is_code && text.trim().starts_with(IGNORED)).then_some(&IGNORED);
        let machine = MACHINES.iter().find(|path| text.contains(**path));
        let word = unfinished.or(ignored).or(machine)?;
        Some(Finding::new(path, line, format!("`{word}` does not belong here")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        check(&Tree::of(files)).into_iter().map(|it| (it.path, it.line)).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_code_only() {
        let text = format!("fine\n// {} later\n", UNFINISHED[0]);
        assert_eq!(places(&[("a.rs", &text), ("a.md", &text)]), [("a.rs".to_owned(), 2)]);
    }

    #[test]
    fn a_test_that_is_not_run_is_found() {
        assert_eq!(places(&[("a.rs", &format!("    {IGNORED} = \"slow\"]\n"))]).len(), 1);
    }

    #[test]
    fn paths_of_a_machine_are_found_everywhere() {
        let text = format!("see {}me/notes", MACHINES[0]);
        assert_eq!(places(&[("README.md", &text)]), [("README.md".to_owned(), 1)]);
    }
}
