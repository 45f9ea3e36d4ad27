//! `cargo xtask docs`: the reference pages that are read off the source.
//!
//! Each page is a function from the files of the project to text, in a file of its own. `tidy`
//! fails when a page is not what its function makes.

mod arms;
mod contract;
mod errors;
mod events;
mod items;
mod service;
mod settings;

use std::fs;

use crate::Answer;
use crate::shell;
use crate::tally::Tally;
use crate::tidy::tree::Tree;

/// A page: where it lies, and what makes it.
pub(crate) struct Page {
    pub(crate) path: &'static str,
    make: fn(&Tree) -> Result<String, String>,
}

/// All pages.
pub(crate) const PAGES: [Page; 7] = [
    Page { path: "docs/reference/contract.md", make: contract::store },
    Page { path: "docs/reference/ledger.md", make: contract::ledger },
    Page { path: "docs/reference/settings.md", make: settings::page },
    Page { path: "docs/reference/errors.md", make: errors::page },
    Page { path: "docs/reference/events.md", make: events::page },
    Page { path: "docs/reference/service-settings.md", make: service::page },
    Page { path: "docs/reference/handstamp.example.toml", make: service::example },
];

impl Page {
    /// The text that the page has to have.
    ///
    /// # Errors
    /// The source does not say what the page needs.
    pub(crate) fn text(&self, tree: &Tree) -> Result<String, String> {
        (self.make)(tree)
    }
}

/// Writes all pages.
///
/// # Errors
/// The source does not say what a page needs, or a page cannot be written.
pub(crate) fn run() -> Answer {
    let tree = Tree::of_project()?;
    for page in PAGES {
        let unable = |error| format!("{}: {error}", page.path);
        let path = shell::root().join(page.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(unable)?;
        }
        fs::write(path, page.text(&tree)?).map_err(unable)?;
        println!("{}", page.path);
    }
    Ok(Tally::default())
}

/// The head of a page: its title, and that nobody is to write in it.
fn head(title: &str, source: &str) -> String {
    format!("# {title}\n\nGenerated from `{source}` by `cargo xtask docs`; change it there.\n")
}

/// A row of a table.
fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table.
fn columns(names: &[&str]) -> String {
    format!("\n{}|{}\n", row(names), "---|".repeat(names.len()))
}

/// The text of a file of the project.
fn source<'a>(tree: &'a Tree, path: &str) -> Result<&'a str, String> {
    tree.text(path).ok_or_else(|| format!("{path} is not there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_in_a_cell_does_not_end_it() {
        assert_eq!(row(&["a|b", "c"]), "| a\\|b | c |\n");
        assert_eq!(columns(&["a", "b"]), "\n| a | b |\n|---|---|\n");
    }

    #[test]
    fn without_its_source_no_page_is_made() {
        for page in PAGES {
            assert!(page.text(&Tree::default()).is_err(), "{}", page.path);
        }
    }
}
