//! Looking at Rust source text line by line, without parsing it.

/// The code of a line: without its comment, empty if it is nothing but one.
///
/// A `//` inside of a text is taken for a comment too, which none of the checks minds.
pub(crate) fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code).trim()
}

/// The name of the function that a line of code begins, if it does.
pub(crate) fn function_name(code: &str) -> Option<&str> {
    let qualifiers = ["pub ", "pub(crate) ", "pub(crate) ", "const ", "async ", "unsafe "];
    let mut rest = code;
    while let Some(shorter) = qualifiers.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = shorter;
    }
    let name = word(rest.strip_prefix("fn ")?);
    (!name.is_empty()).then_some(name)
}

/// The name of the module that a line of code declares as a file, if it does.
pub(crate) fn module_name(code: &str) -> Option<&str> {
    let declaration = code.strip_suffix(';')?;
    let (visibility, name) = declaration.rsplit_once("mod ").unwrap_or(("", ""));
    let is_one = !name.is_empty() && (visibility.is_empty() || visibility.starts_with("pub"));
    is_one.then(|| name.trim())
}

/// The identifier at the start of a text; may be empty.
pub(crate) fn word(text: &str) -> &str {
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    &text[..end]
}

/// Whether `needle` stands in `text` as a word of its own.
pub(crate) fn has_word(text: &str, needle: &str) -> bool {
    text.match_indices(needle).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + needle.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_not_code() {
        assert_eq!(code("  let a = 1; // why"), "let a = 1;");
        assert_eq!(code("/// crate::manager"), "");
    }

    #[test]
    fn functions_are_found_behind_their_qualifiers() {
        assert_eq!(function_name("pub(crate) async fn c07_a(b: u8) {"), Some("c07_a"));
        assert_eq!(function_name("fn f<T>() {"), Some("f"));
        assert_eq!(function_name("f: fn(u8)"), None);
        assert_eq!(function_name("fn ()"), None);
    }

    #[test]
    fn modules_are_found_if_they_are_files() {
        assert_eq!(module_name("pub(crate) mod a;"), Some("a"));
        assert_eq!(module_name("mod a;"), Some("a"));
        assert_eq!(module_name("mod tests {"), None);
        assert_eq!(module_name("use a::b;"), None);
    }

    #[test]
    fn words_end_where_identifiers_do() {
        assert!(has_word("it is N07: once", "N07"));
        assert!(!has_word("n07_is", "n07"));
        assert!(!has_word("XN07", "N07"));
    }
}
