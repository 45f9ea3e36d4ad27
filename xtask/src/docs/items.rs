//! Items of Rust source with their documentation, read line by line.

/// An item: the line that begins it, and what its documentation says.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Item<'a> {
    pub(super) code: &'a str,
    pub(super) doc: String,
}

impl Item<'_> {
    /// The first paragraph.
    pub(super) fn summary(&self) -> &str {
        self.doc.split("\n\n").next().unwrap_or_default()
    }
}

/// The items that are documented, in order.
pub(super) fn items(text: &str) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut doc = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            doc.push(words.trim());
        } else if !doc.is_empty() && !line.starts_with("#[") {
            items.push(Item { code: line, doc: plain(&paragraphs(&std::mem::take(&mut doc))) });
        }
    }
    items
}

/// What stands between the line that begins so and the line that closes it at the same depth.
pub(super) fn body<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    let at = text.lines().find(|line| line.trim_start().starts_with(begin))?;
    let depth = &at[..at.len() - at.trim_start().len()];
    let start = at.as_ptr() as usize - text.as_ptr() as usize + at.len();
    let rest = &text[start..];
    let end = rest.find(&format!("\n{depth}}}")).unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Lines joined to paragraphs.
fn paragraphs(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        match (line.is_empty(), text.is_empty() || text.ends_with('\n')) {
            (true, _) => text.push_str("\n\n"),
            (false, true) => text.push_str(line),
            (false, false) => {
                text.push(' ');
                text.push_str(line);
            }
        }
    }
    text.trim().to_owned()
}

/// Without links into the documentation of the code: only what stands between the backticks stays.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((name, after)) = after.split_once("`]") else {
            plain.push_str("[`");
            rest = after;
            continue;
        };
        plain.push_str(&format!("`{name}`"));
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_its_documentation_without_links() {
        let text = "//! Not this.\n/// Of [`a`](crate::a) and\n/// [`b`].\n///\n/// More.\n#[x]\n  \
                    pub fn c() {\n    let d = 1;\n";
        let items = items(text);
        assert_eq!(items, [Item { code: "pub fn c() {", doc: "Of `a` and `b`.\n\nMore.".into() }]);
        assert_eq!(items[0].summary(), "Of `a` and `b`.");
    }

    #[test]
    fn a_body_ends_at_its_own_depth() {
        let text = "enum A {\n    B {\n        c: u8,\n    },\n}\nenum D {}\n";
        assert_eq!(body(text, "enum A").map(str::lines).map(Iterator::count), Some(4));
        assert_eq!(body(text, "enum E"), None);
    }
}
