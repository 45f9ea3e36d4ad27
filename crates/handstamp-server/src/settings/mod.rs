//! The settings of the service: one table, three layers, every value with where it comes from.
//!
//! A setting is known as `section.key`. `handstamp.toml` says it, the environment variable
//! `HANDSTAMP_<SECTION>_<KEY>` overrides that, and a flag overrides both. [`load`] answers
//! [`Settings`] that fit together, or every single thing that is wrong, one line each.
//!
//! ```
//! use handstamp_server::settings::{Inputs, load};
//! let inputs = Inputs::new().flag("sessions.idle_seconds", "900", "--set sessions.idle_seconds");
//! let loaded = load(&inputs)?;
//! assert_eq!(loaded.settings.sessions.idle.map(|idle| idle.as_secs()), Some(900));
//! # Ok::<(), handstamp_server::settings::SettingsError>(())
//! ```

mod check;
mod choice;
mod derived;
mod effective;
mod entries;
mod file;
mod nearest;
mod preset;
mod problem;
mod reader;
mod row;
mod sections;
mod special;
#[cfg(test)]
mod tests;
mod value;
mod warnings;

use std::collections::BTreeMap;
use std::path::PathBuf;

use handstamp_core::SessionConfig;

pub use crate::risk::Action as RiskAction;
pub use choice::{Algorithm, LogFormat, LogLevel, Preset, Synchronous};
pub use effective::Effective;
pub use file::Document;
pub use problem::{Problem, SettingsError, Source};
pub use row::Row;
pub use sections::{
    Admin, Audit, Cookies, Forward, Geo, Guests, Keys, Limits, Log, Risk, Server, Sessions, Store,
    Telemetry, Tokens, Webhooks,
};
pub use special::{Origin, Rate, Secret, StoreAddress, WebAddress};

use entries::Entries;
use reader::Reader;
use row::Section;

/// What the names of environment variables begin with.
const PREFIX: &str = "HANDSTAMP_";

/// Everything that decides the settings. Nothing else is read: no file, no environment.
#[derive(Clone, Default)]
pub struct Inputs {
    document: Option<Document>,
    environment: Vec<(String, String)>,
    flags: Vec<Flag>,
}

#[derive(Clone)]
struct Flag {
    setting: String,
    text: String,
    shown: String,
}

impl Inputs {
    /// Nothing: all settings have their defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes settings from a file.
    #[must_use]
    pub fn document(mut self, document: Document) -> Self {
        self.document = Some(document);
        self
    }

    /// Takes settings from environment variables; those of other programs may be among them.
    /// `XDG_CONFIG_HOME` and `HOME` say where the user's configuration folder is.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Takes one setting from a flag, which messages call `shown`.
    #[must_use]
    pub fn flag(
        mut self,
        setting: impl Into<String>,
        text: impl Into<String>,
        shown: impl Into<String>,
    ) -> Self {
        let (setting, text, shown) = (setting.into(), text.into(), shown.into());
        self.flags.push(Flag { setting, text, shown });
        self
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(variable, _)| variable == name);
        found.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty())
    }

    /// The user's folder for configuration (XDG Base Directory Specification).
    fn configuration_folder(&self) -> Option<PathBuf> {
        let path = |name| self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        path("XDG_CONFIG_HOME").or_else(|| Some(path("HOME")?.join(".config")))
    }
}

/// Every setting, each right by itself and all right together.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Where the service listens.
    pub server: Server,
    /// The embedded store.
    pub store: Store,
    /// The key ring.
    pub keys: Keys,
    /// Lifetimes and limits of sessions. [`Settings::config`] has them for the engine.
    pub sessions: Sessions,
    /// The session cookie.
    pub cookies: Cookies,
    /// Access tokens.
    pub tokens: Tokens,
    /// Guest sessions.
    pub guests: Guests,
    /// What holders of each role may do.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Who is an operator.
    pub admin: Admin,
    /// Rate limits.
    pub limits: Limits,
    /// Forward authentication.
    pub forward: Forward,
    /// Places of addresses.
    pub geo: Geo,
    /// Risk rules.
    pub risk: Risk,
    /// The audit log.
    pub audit: Audit,
    /// Webhooks.
    pub webhooks: Webhooks,
    /// The log of the program.
    pub log: Log,
    /// Traces.
    pub telemetry: Telemetry,
    /// The engine's configuration, built from the sections it concerns.
    pub config: SessionConfig,
}

/// Settings, and what is to be told of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Each of them as it counts, in the order of the table.
    pub effective: Vec<Effective>,
    /// What works, and is seldom meant: a line each, for the log.
    pub warnings: Vec<String>,
}

/// Every row of the table, in its order.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    entries::rows()
}

/// Reads the settings.
///
/// # Errors
/// [`SettingsError`] holds everything that is wrong: unknown sections and keys, values of another
/// type or out of bounds (also those that a stronger layer overrides), combinations that browsers
/// would refuse or that are not safe. Retrying helps once they are mended.
///
/// # Security
/// A secret is refused as a flag, and in a file that everybody can read. A cookie that is not
/// `Secure` is refused together with an address other than loopback.
pub fn load(inputs: &Inputs) -> Result<Loaded, SettingsError> {
    let mut entries = Entries::gather(inputs);
    if let Some(document) = &inputs.document {
        check::file_with_secrets(document, &mut entries);
    }
    let mut reader = Reader::new(&entries);
    let settings = Settings::read(&mut reader);
    let Reader { mut effective, problems: unread, .. } = reader;
    let mut problems = entries.problems;
    problems.extend(unread);
    let Some(mut settings) = settings else { return Err(SettingsError(problems)) };
    let checked = check::together(&mut settings, &effective);
    problems.extend(checked.problems);
    if !problems.is_empty() {
        return Err(SettingsError(problems));
    }
    derived::fill(&mut settings, &mut effective, inputs);
    let warnings = entries.warnings.into_iter().chain(checked.warnings).collect();
    Ok(Loaded { settings, effective, warnings })
}

impl Settings {
    /// Reads every section, so that everything that is wrong is found at once.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let preset = reader.peek::<Preset>("sessions.preset").unwrap_or_default();
        reader.use_preset(preset);
        let (server, store, keys) = (Server::read(reader), Store::read(reader), Keys::read(reader));
        let (sessions, cookies) = (Sessions::read(reader), Cookies::read(reader));
        let (tokens, guests) = (Tokens::read(reader), Guests::read(reader));
        let roles = reader.roles();
        let (admin, limits) = (Admin::read(reader), Limits::read(reader));
        let (forward, geo, risk) = (Forward::read(reader), Geo::read(reader), Risk::read(reader));
        let (audit, webhooks, log) =
            (Audit::read(reader), Webhooks::read(reader), Log::read(reader));
        let telemetry = Telemetry::read(reader);
        Some(Self {
            server: server?,
            store: store?,
            keys: keys?,
            sessions: sessions?,
            cookies: cookies?,
            tokens: tokens?,
            guests: guests?,
            roles,
            admin: admin?,
            limits: limits?,
            forward: forward?,
            geo: geo?,
            risk: risk?,
            audit: audit?,
            webhooks: webhooks?,
            log: log?,
            telemetry: telemetry?,
            config: preset.config(),
        })
    }
}
