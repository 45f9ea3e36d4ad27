//! What was set where: file, environment and flags, each entry known by its name.

use std::collections::BTreeMap;

use super::file::{Document, Found};
use super::nearest::nearest;
use super::problem::{Problem, Source};
use super::row::Row;
use super::sections::ROWS;
use super::special::has_password;
use super::value::{Raw, quoted};
use super::{Inputs, PREFIX};

/// The section whose keys are names of roles.
pub(super) const ROLES: &str = "roles";

/// One setting that somebody set.
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) raw: Raw,
    pub(super) source: Source,
}

/// Everything that was set; of one setting the weakest first.
#[derive(Default)]
pub(super) struct Entries {
    settings: BTreeMap<String, Vec<Entry>>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Entries {
    pub(super) fn gather(inputs: &Inputs) -> Self {
        let mut all = Self::default();
        if let Some(document) = &inputs.document {
            all.add_document(document);
        }
        for (variable, text) in &inputs.environment {
            all.add_variable(variable, text);
        }
        for flag in &inputs.flags {
            all.add_flag(&flag.setting, &flag.text, &flag.shown);
        }
        all
    }

    /// What was set for this setting.
    pub(super) fn of(&self, name: &str) -> &[Entry] {
        self.settings.get(name).map_or(&[], Vec::as_slice)
    }

    /// The roles that were set, by name.
    pub(super) fn roles(&self) -> impl Iterator<Item = &[Entry]> {
        let is_role = |entries: &&Vec<Entry>| entries.iter().any(|entry| entry.section == ROLES);
        self.settings.values().filter(is_role).map(Vec::as_slice)
    }

    fn add_document(&mut self, document: &Document) {
        match document.sections() {
            Ok(sections) => sections.into_iter().for_each(|section| self.add_section(section)),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn add_section(&mut self, section: Found) {
        let Found { name, source, entries } = section;
        match entries {
            None => self.problems.push(Problem::new(&source, outside(&name))),
            Some(_) if !is_section(&name) => {
                self.problems.push(Problem::new(&source, no_section(&name)));
            }
            Some(entries) => entries.into_iter().for_each(|entry| self.add(entry)),
        }
    }

    fn add_variable(&mut self, variable: &str, text: &str) {
        let Some(rest) = variable.strip_prefix(PREFIX) else { return };
        let source = Source::Variable(variable.into());
        let role =
            rest.strip_prefix("ROLES_").map(|role| (ROLES.into(), role.to_ascii_lowercase()));
        let row = rows().find(|row| row.variable() == variable);
        let place = role.or_else(|| row.map(|row| (row.section.into(), row.key.into())));
        match place {
            Some((section, key)) => {
                self.add(Entry { section, key, raw: Raw::Loose(text.into()), source });
            }
            None => self.add_unknown_variable(variable, &source),
        }
    }

    /// A slip in the name of a variable must not leave a setting at its default in silence; other
    /// people's variables must not stop the start.
    fn add_unknown_variable(&mut self, variable: &str, source: &Source) {
        if is_made_by_an_orchestrator(variable) {
            return;
        }
        let variables: Vec<_> = rows().map(Row::variable).collect();
        let near = nearest(variable, variables.iter().map(String::as_str));
        let section = ROWS.iter().filter_map(|rows| rows.first()).map(|row| row.section);
        let is_ours = section.map(|section| format!("{PREFIX}{}_", section.to_ascii_uppercase()));
        match near {
            Some(near) => {
                let message = format!("is no setting; did you mean {near}?");
                self.problems.push(Problem::new(source, message));
            }
            None if is_ours.into_iter().any(|ours| variable.starts_with(&ours)) => {
                let message = "is no setting; `handstamp config` lists them all";
                self.problems.push(Problem::new(source, message));
            }
            None => {
                self.warnings
                    .push(format!("environment variable {variable} is no setting; it is ignored"));
            }
        }
    }

    fn add_flag(&mut self, setting: &str, text: &str, shown: &str) {
        let source = Source::Flag(shown.into());
        let Some((section, key)) = setting.split_once('.') else {
            return self.problems.push(Problem::new(&source, outside(setting)));
        };
        if !is_section(section) {
            return self.problems.push(Problem::new(&source, no_section(section)));
        }
        self.add(Entry {
            section: section.into(),
            key: key.into(),
            raw: Raw::Loose(text.into()),
            source,
        });
    }

    fn add(&mut self, entry: Entry) {
        let name = format!("{}.{}", entry.section, entry.key);
        let row = rows().find(|row| row.section == entry.section && row.key == entry.key);
        if row.is_none() && entry.section != ROLES {
            let message = no_key(&entry.section, &entry.key);
            return self.problems.push(Problem::new(&entry.source, message));
        }
        if row.is_some_and(|row| holds_secret(row, &entry.raw))
            && matches!(entry.source, Source::Flag(_))
        {
            let variable = row.map(Row::variable).unwrap_or_default();
            let message = format!(
                "{name} is a secret, and other users of this machine can read command lines; \
                 set {variable} or write it into the file"
            );
            return self.problems.push(Problem::new(&entry.source, message));
        }
        self.settings.entry(name).or_default().push(entry);
    }
}

/// Whether what was given for a setting may be shown to nobody: it is a secret, or an address with a
/// password.
pub(super) fn holds_secret(row: &Row, raw: &Raw) -> bool {
    row.is_secret || raw.text().is_some_and(has_password)
}

/// Every row of the table.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().flat_map(|rows| rows.iter())
}

fn is_section(name: &str) -> bool {
    name == ROLES || rows().any(|row| row.section == name)
}

/// Kubernetes sets `HANDSTAMP_SERVICE_HOST`, `HANDSTAMP_PORT_7070_TCP` and the like for a service
/// of that name.
fn is_made_by_an_orchestrator(variable: &str) -> bool {
    let is_end =
        ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|end| variable.ends_with(end));
    is_end || variable.contains("_SERVICE_PORT_") || variable.contains("_PORT_")
}

fn outside(key: &str) -> String {
    let hint = match rows().find(|row| row.key == key) {
        Some(row) => format!("did you mean {}?", row.name()),
        None => format!("sections are {}", sections()),
    };
    format!("{} stands outside of a section; {hint}", quoted(key))
}

fn no_section(section: &str) -> String {
    let names = ROWS.iter().filter_map(|rows| rows.first()).map(|row| row.section);
    let hint = match nearest(section, names.chain([ROLES])) {
        Some(near) => format!("did you mean [{near}]?"),
        None => format!("sections are {}", sections()),
    };
    format!("there is no section {}; {hint}", quoted(section))
}

fn sections() -> String {
    let names = ROWS.iter().filter_map(|rows| rows.first()).map(|row| row.section);
    names.chain([ROLES]).collect::<Vec<_>>().join(", ")
}

/// The same key of another section is likelier meant than another key of this one.
fn no_key(section: &str, key: &str) -> String {
    let names: Vec<_> = rows().map(Row::name).collect();
    let here: Vec<_> = rows().filter(|row| row.section == section).map(|row| row.key).collect();
    let wrong = format!("{section}.{key}");
    let elsewhere = rows().find(|row| row.key == key).map(Row::name);
    let near_here = || nearest(key, here.iter().copied()).map(|key| format!("{section}.{key}"));
    let near = || nearest(&wrong, names.iter().map(String::as_str)).map(str::to_owned);
    let hint = match elsewhere.or_else(near_here).or_else(near) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("keys of [{section}] are {}", here.join(", ")),
    };
    format!("there is no setting {}; {hint}", quoted(&wrong).trim_matches('"'))
}
