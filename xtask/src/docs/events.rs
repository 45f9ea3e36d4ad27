//! The events: names, meanings, names of the OWASP vocabulary, and which are told already.

use super::arms::Arms;
use super::items::{Item, body, items};
use super::{columns, head, row, source};
use crate::tidy::source::{has_word, word};
use crate::tidy::tree::Tree;

const SOURCE: &str = "crates/handstamp-core/src/event.rs";

/// Where events are told: in the engine, and by the risk rules of the service.
const TELLERS: [&str; 2] = ["crates/handstamp-core/src/", "crates/handstamp-server/src/risk/"];

/// Where actions stand that the engine does not tell: their definition, and the suites.
const NOT_TOLD: [&str; 4] = ["event.rs", "chain/", "ledger/", "conformance/"];

const ABOUT: &str = "
The lines of the audit log. Each is committed with the change it tells of, or not at all; what
changes nothing, like a failed sign-in, stands alone.

The third column is the name in the OWASP Logging Vocabulary (`Action::owasp_name`).
`Event::owasp_name` tells the end of a session more exactly, by its reason: `session_expired`
(`idle`, `absolute`), `excess_sessions_exceeded` (`limit`), `authn_token_reuse` (`reuse`),
`authn_token_revoked` (`logout_all`, `revoked`, `disabled`, `admin`). In the last column, *no* means
that the name is there and nothing in Handstamp tells such an event yet.
";

pub(super) fn page(tree: &Tree) -> Result<String, String> {
    let text = source(tree, SOURCE)?;
    let variants = body(text, "pub enum Action").ok_or("no `Action`")?;
    let owasp = Arms::of(body(text, "pub const fn owasp_name").ok_or("no `owasp_name`")?);
    let mut page = head("Events", SOURCE) + ABOUT;
    page.push_str(&columns(&["event", "meaning", "OWASP", "told"]));
    for item in items(variants) {
        let variant = word(item.code);
        let name = name(text, &item).ok_or_else(|| format!("{SOURCE}: {variant} has no name"))?;
        let owasp = owasp.of_variant(variant).first().copied().unwrap_or("return");
        let owasp = if owasp == "return" { "–".to_owned() } else { format!("`{owasp}`") };
        let told = if is_told(tree, variant) { "yes" } else { "no" };
        page.push_str(&row(&[&format!("`{name}`"), &item.doc, &owasp, told]));
    }
    Ok(page)
}

/// The name of a variant: from the table of names, or the beginning that `Display` writes.
fn name(text: &str, item: &Item<'_>) -> Option<String> {
    let variant = word(item.code);
    let in_table = format!("\", Action::{variant})");
    let named = text.lines().find(|line| line.contains(&in_table));
    if let Some(line) = named {
        return line.split('"').nth(1).map(str::to_owned);
    }
    let in_display = format!("Self::{variant}(name) => write!(f, \"");
    let (_, rest) = text.split_once(&in_display)?;
    Some(rest.split('{').next()?.to_owned() + "…")
}

fn is_told(tree: &Tree, variant: &str) -> bool {
    let names = format!("Action::{variant}");
    let is_teller = |path: &str| {
        let rest = TELLERS.iter().find_map(|teller| path.strip_prefix(teller));
        rest.is_some_and(|rest| !NOT_TOLD.iter().any(|other| rest.starts_with(other)))
    };
    tree.files().any(|(path, text)| is_teller(path) && has_word(text, &names))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
pub enum Action {
    /// It began.
    Started,
    /// A rule spoke.
    Risk(Arc<str>),
}
const NAMES: [(&str, Action); 1] = [
    (\"session.started\", Action::Started),
];
            Self::Risk(name) => write!(f, \"risk.{name}\"),
    pub const fn owasp_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Started => \"session_created\",
            Self::Risk(_) => {
                return None;
            }
        })
    }
";

    #[test]
    fn an_event_has_name_meaning_and_says_whether_it_is_told() {
        let engine = "crates/handstamp-core/src/engine/a.rs";
        let tree = Tree::of(&[(SOURCE, TEXT), (engine, "tell(Action::Started)")]);
        let page = page(&tree).unwrap();
        assert!(page.contains("| `session.started` | It began. | `session_created` | yes |"));
        assert!(page.contains("| `risk.…` | A rule spoke. | – | no |"), "{page}");
    }
}
