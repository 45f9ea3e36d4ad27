//! The errors: code, status, meaning.

use super::arms::Arms;
use super::items::{body, items};
use super::{columns, head, row, source};
use crate::tidy::source::word;
use crate::tidy::tree::Tree;

const ENGINE: &str = "crates/handstamp-core/src/error.rs";
const WEB: &str = "crates/handstamp-axum/src/rejection.rs";

const ABOUT: &str = "
Outward go only the code and the status; the cause goes to the log. The web layer answers with a
problem document (RFC 9457), whose member `code` is the code.

## `SessionError`, of the engine
";

const ABOUT_WEB: &str = "
## `SessionRejection`, of the web layer

It wraps the errors above, whose code and status it takes over (a 500 has the code `INTERNAL`), and
adds these.
";

/// Statuses by the names that the source has for them.
const STATUSES: [(&str, &str); 3] =
    [("UNAUTHORIZED", "401"), ("FORBIDDEN", "403"), ("INTERNAL_SERVER_ERROR", "500")];

pub(super) fn page(tree: &Tree) -> Result<String, String> {
    let (engine, web) = (source(tree, ENGINE)?, source(tree, WEB)?);
    let mut page = head("Errors", &format!("{ENGINE}` and `{WEB}")) + ABOUT;
    page.push_str(&table(engine, "pub enum SessionError", ENGINE)?);
    page.push_str(ABOUT_WEB);
    page.push_str(&table(web, "pub enum SessionRejection", WEB)?);
    Ok(page)
}

fn table(text: &str, name: &str, path: &str) -> Result<String, String> {
    let part = |begin| body(text, begin).ok_or_else(|| format!("{path}: no `{begin}`"));
    let variants = part(name)?;
    // The first functions of these names behind the type are its own.
    let own = &text[text.find(name).unwrap_or_default()..];
    let arms = |begin: &str| {
        let line = own.lines().find(|line| line.contains(begin));
        let arms = line.and_then(|line| body(own, line.trim())).map(Arms::of);
        arms.ok_or_else(|| format!("{path}: no `{begin}` of `{name}`"))
    };
    let (statuses, codes) = (arms("fn status(&self)")?, arms("fn code(&self)")?);
    let mut table = columns(&["variant", "code", "status", "meaning"]);
    for item in items(variants).iter().filter(|item| begins_a_variant(item.code, variants)) {
        let variant = word(item.code);
        let code = told(&codes.of_variant(variant), |code| format!("`{code}`"));
        let status = told(&statuses.of_variant(variant), |status| number(status).to_owned());
        table.push_str(&row(&[&format!("`{variant}`"), &code, &status, &item.doc]));
    }
    Ok(table)
}

/// Whether a line stands at the depth of the variants, rather than at that of their fields.
fn begins_a_variant(code: &str, variants: &str) -> bool {
    variants.lines().any(|line| line.strip_prefix("    ") == Some(code))
}

/// Values in words: those that are no constants are those of the error within.
fn told(values: &[&str], show: impl Fn(&str) -> String) -> String {
    let is_constant = |value: &&&str| value.chars().all(|c| !c.is_ascii_lowercase());
    let told: Vec<_> = values.iter().filter(is_constant).map(|value| show(value)).collect();
    if told.len() == values.len() { told.join(" or ") } else { "its error's".to_owned() }
}

fn number(status: &str) -> &str {
    STATUSES.iter().find(|(name, _)| *name == status).map_or(status, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
pub enum E {
    /// Not there.
    Gone {
        /// When.
        at: u8,
    },
    /// Of another.
    #[from]
    Other(X),
}
impl E {
    pub const fn status(&self) -> u16 {
        match self {
            Self::Gone { .. } => 404,
            Self::Other(error) => status_of(error),
        }
    }
    pub const fn code(&self) -> &str {
        match self {
            Self::Gone { .. } => \"GONE\",
            Self::Other(X) => \"A\",
            Self::Other(_) => \"B\",
        }
    }
}
";

    #[test]
    fn a_variant_has_code_status_and_meaning() {
        let table = table(TEXT, "pub enum E", "a.rs").unwrap();
        let rows: Vec<_> = table.lines().skip(3).collect();
        assert_eq!(
            rows,
            [
                "| `Gone` | `GONE` | 404 | Not there. |",
                "| `Other` | `A` or `B` | its error's | Of another. |",
            ]
        );
    }

    #[test]
    fn statuses_by_name_are_shown_as_numbers() {
        assert_eq!((number("FORBIDDEN"), number("413")), ("403", "413"));
    }
}
