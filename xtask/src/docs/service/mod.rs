//! The settings of the service, read off their table: the reference page and the annotated file.

mod example;
mod page;
mod table;
mod words;

pub(super) use example::text as example;
pub(super) use page::text as page;

use super::source;
use crate::tidy::tree::Tree;
use table::Section;
use words::Words;

const FOLDER: &str = "crates/handstamp-server/src/settings";
const TABLE: &str = "crates/handstamp-server/src/settings/sections.rs";

/// The table, and the words for what each type allows.
fn read(tree: &Tree) -> Result<(Vec<Section>, Words<'_>), String> {
    let sections = table::sections(source(tree, TABLE)?)?;
    if sections.is_empty() {
        return Err(format!("{TABLE} has no section"));
    }
    let files = ["value", "choice", "special"].map(|name| format!("{FOLDER}/{name}.rs"));
    let texts = files.iter().map(|path| source(tree, path)).collect::<Result<_, _>>()?;
    Ok((sections, Words::new(texts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTIONS: &str = "
section! {
    /// Where it listens.
    Server = \"server\" {
        /// The address. More
        /// of it.
        listen: SocketAddr = \"127.0.0.1:7070\";
        /// How long.
        wait as wait_seconds: Option<Duration> = \"60\" by preset
            in 1..=3_600;
        /// Which way.
        level: Level = \"info\";
        /// Whom to believe.
        proxies: Vec<SocketAddr> = \"\";
    }
}
";
    const VALUE: &str = "
impl Value for SocketAddr {
    fn allowed(_: &Row) -> String {
        \"an address\".into()
    }
}
";
    const CHOICE: &str = "
impl Choice for Level {
    const WORDS: &[(&str, Self)] = &[(\"warn\", Self::Warn), (\"info\", Self::Info)];
}
";

    fn tree() -> Tree {
        Tree::of(&[
            (TABLE, SECTIONS),
            ("crates/handstamp-server/src/settings/value.rs", VALUE),
            ("crates/handstamp-server/src/settings/choice.rs", CHOICE),
            ("crates/handstamp-server/src/settings/special.rs", ""),
        ])
    }

    #[test]
    fn a_setting_has_default_bounds_and_meaning() {
        let page = page(&tree()).unwrap();
        let rows = [
            "| `listen` | 127.0.0.1:7070 | an address | The address. More of it. |",
            "| `wait_seconds` | 60, by preset | whole seconds, 1 to 3600, or `none` | How long. |",
            "| `level` | info | `warn` or `info` | Which way. |",
            "| `proxies` | none | a list of an address | Whom to believe. |",
        ];
        for row in rows {
            assert!(page.contains(row), "{row}\n{page}");
        }
        assert!(page.contains("## server\n\nWhere it listens.\n"), "{page}");
    }

    #[test]
    fn the_file_has_every_setting_at_its_default() {
        let file = example(&tree()).unwrap();
        let lines = [
            "# Where it listens.\n[server]",
            "# The address. More of it.\n# Allowed: an address.\n#listen = \"127.0.0.1:7070\"",
            "#wait_seconds = 60",
            "#level = \"info\"",
            "#proxies = []",
        ];
        for line in lines {
            assert!(file.contains(line), "{line}\n{file}");
        }
    }

    #[test]
    fn a_type_without_words_makes_no_page() {
        let table = SECTIONS.replace(": Level", ": Unknown");
        let tree = Tree::of(&[
            (TABLE, &table),
            ("crates/handstamp-server/src/settings/value.rs", VALUE),
            ("crates/handstamp-server/src/settings/choice.rs", CHOICE),
            ("crates/handstamp-server/src/settings/special.rs", ""),
        ]);
        assert!(page(&tree).unwrap_err().contains("Unknown"));
    }
}
