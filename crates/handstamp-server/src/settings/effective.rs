//! The settings as they count, for people and programs to look at.

use serde_json::Value as Json;

use super::problem::Source;

/// One setting as it counts. Secrets are masked.
#[derive(Clone, PartialEq, Debug)]
pub struct Effective {
    /// Section and key.
    pub name: String,
    /// What counts; `null` for none.
    pub value: Json,
    /// What would count had nobody set it.
    pub default: Json,
    /// What a number counts.
    pub unit: Option<&'static str>,
    /// Where the value comes from.
    pub source: Source,
    /// What the setting does.
    pub about: &'static str,
}

impl Effective {
    /// Whether somebody set it, rather than a default or a preset.
    pub const fn is_set(&self) -> bool {
        !matches!(self.source, Source::Default | Source::Preset(_))
    }

    /// The value in words, without quotes: `none` for none, a list with commas.
    pub fn value_text(&self) -> String {
        in_words(&self.value)
    }

    /// The default in words.
    pub fn default_text(&self) -> String {
        in_words(&self.default)
    }
}

/// A value without quotes, as a flag would say it.
pub(super) fn in_words(value: &Json) -> String {
    match value {
        Json::Null => "none".into(),
        Json::String(text) => text.clone(),
        Json::Array(items) if items.is_empty() => "none".into(),
        Json::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
