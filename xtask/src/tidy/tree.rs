//! The files of the project, as texts by path.

use std::collections::BTreeMap;
use std::fs;

use crate::shell;

/// Every text file that is or would be committed; paths are relative to the root.
#[derive(Default)]
pub(crate) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads what git knows or would take. Files that are not text are left out.
    ///
    /// # Errors
    /// This is not a git checkout.
    pub(crate) fn of_project() -> Result<Self, String> {
        // A checkout that belongs to another user is read all the same: nothing of it is run.
        let names = shell::read(shell::command("git").args([
            "-c",
            "safe.directory=*",
            "-c",
            "core.quotePath=off",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let read = |name: &str| {
            Some((name.to_owned(), fs::read_to_string(shell::root().join(name)).ok()?))
        };
        Ok(Self(names.lines().filter_map(read).collect()))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect())
    }

    /// All files with their texts, by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose name ends so.
    pub(crate) fn ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.ends_with(end))
    }

    /// The files below a folder, which is given with its closing slash.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.starts_with(folder))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }
}

/// The lines of a text, counted from 1.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The cells of a row of a Markdown table; `None` for other lines and for the row of dashes.
pub(crate) fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    if row.chars().all(|c| "-: |".contains(c)) {
        return None;
    }
    Some(row.split(" | ").map(str::trim).collect())
}

/// The rows of all tables of a text with their lines: without heads, which stand above a row of
/// dashes.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let is_dashes = |line: &str| line.trim().starts_with("|-") && cells(line).is_none();
    let next = text.lines().skip(1).chain([""]);
    lines(text)
        .zip(next)
        .filter(move |(_, next)| !is_dashes(next))
        .filter_map(|((line, text), _)| Some((line, cells(text)?)))
}

/// What stands between backticks in a text.
pub(crate) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_cells_and_the_dashes_below_the_head_have_none() {
        assert_eq!(cells("| N01 | a \\| b | done |"), Some(vec!["N01", "a \\| b", "done"]));
        assert_eq!(cells("|---|:-:|---|"), None);
        assert_eq!(cells("text | with a bar"), None);
    }

    #[test]
    fn every_table_has_a_head_that_is_no_row() {
        let text = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| c |\n|---|\n| 3 |\n";
        let lines: Vec<_> = rows(text).map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 7]);
    }

    #[test]
    fn code_spans_are_what_stands_between_backticks() {
        assert_eq!(code_spans("see `a`, `b::c` and d").collect::<Vec<_>>(), ["a", "b::c"]);
    }
}
