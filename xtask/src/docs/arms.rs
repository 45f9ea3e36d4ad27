//! The arms of a `match` over `Self`, read off its text.

use crate::tidy::source::{has_word, word};

/// Which value each pattern gives.
pub(super) struct Arms<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Arms<'a> {
    /// Reads the arms in the body of a function.
    pub(super) fn of(body: &'a str) -> Self {
        let mut parts = body.split("=>");
        let mut pattern = parts.next().unwrap_or_default();
        let arms = parts.map(|part| {
            let (value, rest) = value(part);
            (std::mem::replace(&mut pattern, rest), value)
        });
        Self(arms.collect())
    }

    /// The values of a variant, in the order of the arms, each once.
    pub(super) fn of_variant(&self, variant: &str) -> Vec<&'a str> {
        let mut values = Vec::new();
        for (pattern, value) in &self.0 {
            if has_word(pattern, &format!("Self::{variant}")) && !values.contains(value) {
                values.push(value);
            }
        }
        values
    }
}

/// The value that stands after `=>`, and what follows it: a text without its quotes, or the last
/// word of a path.
fn value(part: &str) -> (&str, &str) {
    let part = part.trim_start_matches(|c: char| c.is_whitespace() || c == '{');
    if let Some(text) = part.strip_prefix('"') {
        return text.split_once('"').unwrap_or((text, ""));
    }
    let end = part.find([',', '}', '(']).unwrap_or(part.len());
    let (path, rest) = part.split_at(end);
    let name = path.trim().rsplit("::").next().unwrap_or_default();
    (word(name), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_variant() {
        let arms = Arms::of(
            "match self {\n Self::A => 404,\n Self::B { .. } | Self::C => {\n 401\n }\n \
             Self::D(Too::Large) => 413,\n Self::D(_) | Self::E => \"TEXT\",\n \
             Self::F => Code::BAD,\n }",
        );
        assert_eq!(arms.of_variant("A"), ["404"]);
        assert_eq!(arms.of_variant("C"), ["401"]);
        assert_eq!(arms.of_variant("D"), ["413", "TEXT"]);
        assert_eq!(arms.of_variant("E"), ["TEXT"]);
        assert_eq!(arms.of_variant("F"), ["BAD"]);
        assert!(arms.of_variant("G").is_empty());
    }
}
