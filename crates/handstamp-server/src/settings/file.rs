//! The file of settings: read, and taken apart into entries with their places.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::entries::Entry;
use super::problem::{Problem, Source};
use super::value::Raw;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What stands under one name at the top of a file.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) source: Source,
    /// `None` where it is a value instead of a section.
    pub(super) entries: Option<Vec<Entry>>,
}

/// A file of settings. Not `Debug`: it may hold a secret.
#[derive(Clone)]
pub struct Document {
    pub(super) path: Arc<str>,
    text: String,
    /// The permission bits, where there are any.
    pub(super) mode: Option<u32>,
}

impl Document {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The system refuses, the file is not UTF-8, or it is larger than 1 MiB.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = std::fs::File::open(path)?;
        let mode = mode(&file.metadata()?);
        let mut text = String::new();
        file.take(LARGEST + 1).read_to_string(&mut text)?;
        if text.len() as u64 > LARGEST {
            return Err(io::Error::other("larger than 1 MiB"));
        }
        Ok(Self { mode, ..Self::of(path.to_string_lossy(), text) })
    }

    /// A file that has this text, as if it lay at `path`.
    pub fn of(path: impl Into<Arc<str>>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), mode: None }
    }

    /// Says which permission bits the file has; `None` where there are none.
    #[must_use]
    pub const fn with_mode(mut self, mode: Option<u32>) -> Self {
        self.mode = mode;
        self
    }

    /// The sections, and the entries of each, in the order of their places.
    pub(super) fn sections(&self) -> Result<Vec<Found>, Problem> {
        let root = DeTable::parse(&self.text).map_err(|error| {
            let source = self.place(error.span().map_or(0, |span| span.start));
            Problem::new(&source, error.message().replace('\n', " "))
        })?;
        let mut sections: Vec<_> = root.get_ref().iter().collect();
        sections.sort_by_key(|(name, _)| name.span().start);
        Ok(sections.into_iter().map(|(name, value)| self.section(name, value)).collect())
    }

    fn section(&self, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Found {
        let source = self.place(name.span().start);
        let name = name.get_ref().to_string();
        let entries = match value.get_ref() {
            DeValue::Table(table) => Some(self.entries(&name, table)),
            _ => None,
        };
        Found { name, source, entries }
    }

    fn entries(&self, section: &str, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| Entry {
            section: section.into(),
            key: key.get_ref().to_string(),
            raw: raw(value.get_ref()),
            source: self.place(key.span().start),
        };
        entries.into_iter().map(entry).collect()
    }

    /// The place of a byte of the text.
    fn place(&self, at: usize) -> Source {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Source::File {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.clone().into_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or(Raw::Other("a number without measure"), Raw::Number),
        DeValue::Float(_) => Raw::Other("a number with a point"),
        DeValue::Boolean(truth) => Raw::Truth(*truth),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

#[cfg(unix)]
fn mode(meta: &std::fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(meta) & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}
