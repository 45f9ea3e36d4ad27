//! The settings: name, unit, default, what is allowed, meaning.

use super::items::{Item, body, items};
use super::{columns, head, row, source};
use crate::tidy::source::{function_name, word};
use crate::tidy::tree::Tree;

const SOURCE: &str = "crates/handstamp-core/src/config.rs";

const ABOUT: &str = "
Change settings with `SessionConfig::default().edit()`, a call for each setting, and `build()`,
which checks them together and names the first that browsers or standards would refuse.
";

/// What a setting is given in, by its type.
const UNITS: [(&str, &str); 12] = [
    ("Option<Duration>", "a span of time, or none"),
    ("Duration", "a span of time"),
    ("Option<u32>", "a count, or none"),
    ("usize", "bytes"),
    ("u64", "bytes"),
    ("bool", "yes or no"),
    ("SameSite", "`Strict`, `Lax` or `None`"),
    ("LimitStrategy", "`Deny`, `EndOldest` or `EndNextToExpire`"),
    ("ReusePolicy", "`End` or `Suspend`"),
    ("impl Into<String>", "text"),
    ("I", "a list"),
    ("hours", "hours"),
];

pub(super) fn page(tree: &Tree) -> Result<String, String> {
    let text = source(tree, SOURCE)?;
    let mut page = head("Settings", SOURCE) + ABOUT;
    page.push_str(&columns(&["setting", "given as", "default", "allowed", "meaning"]));
    for setting in settings(text) {
        let (meaning, default) = split(&setting.doc)
            .ok_or_else(|| format!("{SOURCE}: {} does not say its default", setting.name))?;
        let unit = unit(setting.kind)
            .ok_or_else(|| format!("{SOURCE}: no unit for `{}`", setting.kind))?;
        let name = format!("`{}`", setting.name);
        page.push_str(&row(&[&name, unit, &default, &allowed(text, setting.name), &meaning]));
    }
    page.push_str("\n## Presets\n");
    page.push_str(&columns(&["preset", "what it is"]));
    for preset in items(text).iter().filter(|item| item.code.ends_with("() -> Self {")) {
        let name = function_name(preset.code).unwrap_or_default();
        page.push_str(&row(&[&format!("`{name}()`"), preset.summary()]));
    }
    Ok(page)
}

struct Setting<'a> {
    name: &'a str,
    kind: &'a str,
    doc: String,
}

/// The methods of the builder that take a value, those that the macro makes included.
fn settings(text: &str) -> Vec<Setting<'_>> {
    let fields = body(text, "settings! {").into_iter().flat_map(items).filter_map(|item| {
        let (name, kind) = item.code.trim_end_matches(',').split_once(": ")?;
        Some(Setting { name, kind, doc: item.doc })
    });
    let methods = items(text).into_iter().filter_map(method);
    methods.chain(fields).collect()
}

fn method(item: Item<'_>) -> Option<Setting<'_>> {
    let name = function_name(item.code)?;
    let (_, arguments) = item.code.split_once("self, ")?;
    let is_of_builder = item.code.ends_with("-> Self {") || item.code.contains("<I");
    let (argument, kind) = arguments.split_once(": ")?;
    let kind = kind.split([')', ',']).next()?;
    let kind = if argument == "hours" { argument } else { kind };
    (is_of_builder && argument == word(argument)).then_some(Setting { name, kind, doc: item.doc })
}

fn unit(kind: &str) -> Option<&'static str> {
    UNITS.iter().find(|(known, _)| *known == kind).map(|(_, unit)| *unit)
}

/// The meaning, and the default that a sentence `Default …` tells.
fn split(doc: &str) -> Option<(String, String)> {
    let (before, after) = doc.split_once("Default ")?;
    let (default, rest) = after.split_once(". ").unwrap_or((after, ""));
    let meaning = format!("{before}{rest}").trim().to_owned();
    Some((meaning, default.trim_end_matches('.').to_owned()))
}

/// What the check of a setting demands: `check("name", "what it must be", …)`.
fn allowed(text: &str, name: &str) -> String {
    let checks = text.split("check(").filter_map(|call| {
        let mut texts = call.trim_start().strip_prefix('"')?.split('"');
        let (what, _, must) = (texts.next()?, texts.next()?, texts.next()?);
        (what == name).then_some(must)
    });
    checks.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
settings! {
    /// How long. Default 24 hours.
    ttl: Duration,
}
impl SessionConfigBuilder {
    /// For people. More.
    pub fn development() -> Self {
    }
    /// The name. Default `a`, for it is short. Long names are refused.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
    }
    /// Checks.
    pub fn build(self) -> Result<SessionConfig, ConfigError> {
    check(\"ttl\", \"1 second to 400 days\", true)?;
    check(
        \"ttl\",
        \"not odd\",
    )
}
";

    #[test]
    fn a_setting_has_unit_default_limits_and_meaning() {
        let page = page(&Tree::of(&[(SOURCE, TEXT)])).unwrap();
        let ttl =
            "| `ttl` | a span of time | 24 hours | 1 second to 400 days, not odd | How long. |";
        assert!(page.contains(ttl), "{page}");
        let name = "| `cookie_name` | text | `a`, for it is short |  | The name. Long names are refused. |";
        assert!(page.contains(name), "{page}");
        assert!(page.contains("| `development()` | For people. More. |"), "{page}");
    }

    #[test]
    fn a_setting_without_a_default_makes_no_page() {
        let text = TEXT.replace("Default 24 hours.", "");
        assert!(page(&Tree::of(&[(SOURCE, &text)])).unwrap_err().contains("ttl"));
    }
}
