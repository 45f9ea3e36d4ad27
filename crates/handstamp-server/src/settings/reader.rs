//! Reads rows: the default, what was set over it, what is wrong, and what is shown of it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::choice::Preset;
use super::effective::Effective;
use super::entries::{Entries, Entry, ROLES, rows};
use super::preset;
use super::problem::{Problem, Source};
use super::row::Row;
use super::value::{Raw, Value, quoted};

/// Goes through the table once.
pub(super) struct Reader<'a> {
    entries: &'a Entries,
    preset: &'static str,
    /// What the preset says, by name.
    presets: BTreeMap<String, String>,
    pub(super) effective: Vec<Effective>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(entries: &'a Entries) -> Self {
        Self {
            entries,
            preset: "",
            presets: BTreeMap::new(),
            effective: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Takes defaults from a preset.
    pub(super) fn use_preset(&mut self, preset: Preset) {
        self.presets = preset::defaults(preset);
        self.preset = preset.word();
    }

    /// The value that somebody set, without noting it or what is wrong with it.
    pub(super) fn peek<T: Value>(&self, name: &str) -> Option<T> {
        let row = rows().find(|row| row.name() == name)?;
        self.entries.of(name).last().and_then(|last| T::read(&last.raw, row).ok())
    }

    /// The value that counts. Everything that was set has to be right, also what is overridden.
    pub(super) fn read<T: Value>(&mut self, row: &'static Row) -> Option<T> {
        let (default, mut source) = self.default(row);
        let entries = self.entries.of(&row.name());
        let default = self.parse::<T>(row, &default, &source);
        let default_shown = default.as_ref().map_or(Json::Null, |value| value.shown(row));
        let mut value = default;
        for entry in entries {
            value = self.parse(row, &entry.raw, &entry.source);
            source = entry.source.clone();
        }
        let value = value?;
        self.effective.push(Effective {
            name: row.name(),
            value: value.shown(row),
            default: default_shown,
            unit: row.unit(),
            source,
            about: row.about,
        });
        Some(value)
    }

    fn default(&self, row: &Row) -> (Raw, Source) {
        match self.presets.get(&row.name()) {
            Some(says) if says != row.default => {
                (Raw::Loose(says.clone()), Source::Preset(self.preset))
            }
            _ => (Raw::Loose(row.default.into()), Source::Default),
        }
    }

    fn parse<T: Value>(&mut self, row: &Row, raw: &Raw, source: &Source) -> Option<T> {
        match T::read(raw, row) {
            Ok(value) => Some(value),
            Err(wrong) => {
                let (name, allowed) = (row.name(), T::allowed(row));
                let message = format!("{name} is {}, but must be {allowed}", wrong.0);
                self.problems.push(Problem::new(source, message));
                None
            }
        }
    }

    /// The map from roles to permissions.
    pub(super) fn roles(&mut self) -> BTreeMap<String, Vec<String>> {
        let set: Vec<_> = self.entries.roles().filter_map(<[Entry]>::last).collect();
        set.into_iter().filter_map(|entry| self.role(entry)).collect()
    }

    fn role(&mut self, entry: &Entry) -> Option<(String, Vec<String>)> {
        let is_name = |name: &str| {
            (1..=64).contains(&name.len()) && !name.contains(|c: char| c == ',' || c.is_control())
        };
        let permissions = <Vec<String>>::read(&entry.raw, &ROLE).ok();
        let permissions =
            permissions.filter(|all| all.iter().all(|name| is_name(name)) && is_name(&entry.key));
        let Some(permissions) = permissions else {
            let role = quoted(&entry.key);
            let message = format!(
                "role {role} must be a list of permissions; names have 1 to 64 bytes, no comma and \
                 no control character"
            );
            self.problems.push(Problem::new(&entry.source, message));
            return None;
        };
        self.effective.push(Effective {
            name: format!("{ROLES}.{}", entry.key),
            value: permissions.clone().into(),
            default: Json::Null,
            unit: None,
            source: entry.source.clone(),
            about: "What holders of this role may do.",
        });
        Some((entry.key.clone(), permissions))
    }
}

/// The row that stands for every role.
const ROLE: Row = Row {
    section: ROLES,
    key: "name",
    default: "",
    about: "",
    is_by_preset: false,
    is_secret: false,
    least: 1,
    most: 64,
};
