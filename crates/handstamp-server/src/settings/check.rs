//! What no setting can tell alone: combinations that are refused, and those that are warned of.

use handstamp_core::config::ConfigError;

use super::choice::Algorithm;
use super::effective::Effective;
use super::entries::{Entries, holds_secret, rows};
use super::file::Document;
use super::problem::{Problem, Source};
use super::{Settings, preset, warnings};
use crate::risk::RiskConfig;

/// What was found.
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

/// Looks at settings that are right one by one; builds the engine's configuration from them.
pub(super) fn together(settings: &mut Settings, effective: &[Effective]) -> Checked {
    let config = preset::config(settings);
    let mut check = Check { settings, effective, problems: Vec::new() };
    check.refuse();
    if let Err(error) = &config {
        check.refused_by_the_engine(error);
    }
    let checked = Checked { warnings: warnings::of(settings), problems: check.problems };
    if let Ok(config) = config {
        settings.config = config;
    }
    checked
}

struct Check<'a> {
    settings: &'a Settings,
    effective: &'a [Effective],
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// Refuses what cannot work or would not be safe.
    fn refuse(&mut self) {
        self.cookie_over_the_network();
        self.addresses();
        self.keys();
        self.shared();
        self.secret();
        self.spans();
        self.risk();
    }

    /// The setting is wrong beside others, which `must` names. Where nobody set it, the place is
    /// that of the first of those that somebody did set.
    fn wrong(&mut self, name: &str, must: &str) {
        let Some(setting) = self.effective.iter().find(|setting| setting.name == name) else {
            return;
        };
        let mut named = self.effective.iter().filter(|it| must.contains(it.name.as_str()));
        let place = Some(setting).filter(|it| it.is_set()).or_else(|| named.find(|it| it.is_set()));
        let why = if setting.is_set() { String::new() } else { format!(" ({})", setting.source) };
        let message = format!("{name} is {}{why}, but must be {must}", setting.value_text());
        self.problems.push(Problem::new(&place.unwrap_or(setting).source, message));
    }

    /// A cookie that is not `Secure` may leave only over this machine's own wire.
    fn cookie_over_the_network(&mut self) {
        let listen = self.settings.server.listen;
        if !listen.ip().is_loopback() && !self.settings.cookies.secure {
            let must = format!("true while server.listen ({listen}) is not a loopback address");
            self.wrong("cookies.secure", &must);
        }
    }

    fn addresses(&mut self) {
        let server = &self.settings.server;
        if server.metrics_listen == Some(server.listen) && server.listen.port() != 0 {
            self.wrong("server.metrics_listen", "another address or port than server.listen");
        }
    }

    fn keys(&mut self) {
        let keys = &self.settings.keys;
        if keys.ring.is_some() && keys.file.is_some() {
            self.wrong("keys.file", "\"none\" where keys.ring holds the key ring");
        }
    }

    /// Services that share their sessions share the key ring too: one that each makes for itself
    /// would refuse what the others gave out.
    fn shared(&mut self) {
        let keys = &self.settings.keys;
        let is_shared = self.settings.store.is_shared();
        if is_shared && keys.ring.is_none() && keys.file.is_none() {
            let must = "the file of a key ring that all services on store.url have (handstamp keys \
                        generate makes one), or else keys.ring";
            self.wrong("keys.file", must);
        }
    }

    fn secret(&mut self) {
        let tokens = &self.settings.tokens;
        if tokens.algorithm == Algorithm::Hs256 && tokens.secret.is_none() {
            self.wrong(
                "tokens.secret",
                "a text of 32 bytes or more where tokens.algorithm is HS256",
            );
        }
    }

    fn spans(&mut self) {
        let settings = self.settings;
        let (tokens, guests) = (&settings.tokens, &settings.guests);
        let shortest = tokens.shortest();
        if tokens.refresh_before >= shortest {
            let must = format!(
                "less than the {} seconds that an access token lives at least",
                shortest.as_secs()
            );
            self.wrong("tokens.refresh_before_seconds", &must);
        }
        if tokens.keep_keys < tokens.lifetime {
            self.wrong("tokens.keep_keys_seconds", "at least tokens.lifetime_seconds");
        }
        if guests.idle.is_some_and(|idle| idle > guests.absolute) {
            self.wrong("guests.idle_seconds", "no longer than guests.absolute_seconds");
        }
    }

    fn risk(&mut self) {
        if let Err(error) = RiskConfig::from(&self.settings.risk).check() {
            self.wrong(&format!("risk.{}", error.setting), error.must);
        }
    }

    /// What the engine's own check refuses, in the words of the settings.
    fn refused_by_the_engine(&mut self, error: &ConfigError) {
        match error {
            ConfigError::CookieName(_) => {
                self.wrong("cookies.name", "1 to 100 letters, digits, '-', '_' or '.'");
            }
            ConfigError::CookiePrefix { needs, .. } => {
                let needs = needs
                    .replace("secure(true)", "cookies.secure = true")
                    .replace("path(\"/\")", "cookies.path = \"/\"");
                self.wrong(
                    "cookies.name",
                    &format!("used with {needs}, or browsers drop the cookie"),
                );
            }
            ConfigError::SameSiteNone => {
                let must = "used with cookies.secure = true, or browsers drop the cookie";
                self.wrong("cookies.same_site", must);
            }
            ConfigError::CookiePath(_) => {
                self.wrong("cookies.path", "begun with '/' and without ';' and control characters");
            }
            ConfigError::Origin(_) => {
                self.wrong("cookies.trusted_origins", "origins like https://app.example.org");
            }
            ConfigError::Lifetime { what, must } | ConfigError::Size { what, must } => {
                self.wrong(setting(what), &in_settings(must));
            }
            other => self.problems.push(Problem::new(&Source::Default, other.to_string())),
        }
    }
}

/// Refuses secrets in a file that everybody can read; warns where a group can.
pub(super) fn file_with_secrets(document: &Document, entries: &mut Entries) {
    let Some(mode) = document.mode else { return };
    let is_of_file = |source: &Source| matches!(source, Source::File { .. });
    let found = rows().filter_map(|row| {
        let name = row.name();
        let entry = entries.of(&name).iter().find(|entry| is_of_file(&entry.source))?;
        holds_secret(row, &entry.raw).then(|| (name, entry.source.clone()))
    });
    for (name, source) in found.collect::<Vec<_>>() {
        let path = &document.path;
        if mode & 0o007 != 0 {
            let message = format!(
                "{name} is a secret, and everybody can read this file (mode {mode:03o}); \
                 run: chmod 600 {path}"
            );
            entries.problems.push(Problem::new(&source, message));
        } else if mode & 0o070 != 0 {
            entries.warnings.push(format!(
                "{source}: {name} is a secret, and a group can read this file (mode {mode:03o})"
            ));
        }
    }
}

/// The setting that the engine calls `what`.
fn setting(what: &str) -> &'static str {
    match what {
        "ttl" => "sessions.absolute_seconds",
        "idle" => "sessions.idle_seconds",
        "remember" => "sessions.remember_absolute_seconds",
        "remember_idle" => "sessions.remember_idle_seconds",
        "rotate_every" => "sessions.rotate_after_seconds",
        "grace" => "sessions.grace_seconds",
        "keep_tombstones" => "sessions.keep_ended_seconds",
        "cleanup_every" => "sessions.cleanup_seconds",
        "limit" => "sessions.max_per_subject",
        "max_value_bytes" => "sessions.max_value_bytes",
        "max_session_bytes" => "sessions.max_session_bytes",
        "cache_bytes" => "store.cache_bytes",
        _ => "sessions.preset",
    }
}

/// What the engine demands, with the names of settings.
fn in_settings(must: &str) -> String {
    match must {
        "no longer than ttl" => "no longer than sessions.absolute_seconds".into(),
        "1 second to the length of remember" => {
            "no longer than sessions.remember_absolute_seconds".into()
        }
        "at least max_value_bytes" => "at least sessions.max_value_bytes".into(),
        other => other.into(),
    }
}
