//! Settings that are one word out of a few.

use handstamp_core::SessionConfig;
use handstamp_core::config::{LimitStrategy, ReusePolicy, SameSite};
use serde_json::Value as Json;

use super::row::Row;
use super::value::{Raw, Value, Wrong};
use crate::risk::Action as RiskAction;

/// Where lifetimes, limits and the cookie start from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preset {
    /// Good for production behind HTTPS: [`SessionConfig::default`].
    #[default]
    Default,
    /// Stricter: [`SessionConfig::production`].
    Production,
    /// A machine of your own over plain HTTP: [`SessionConfig::development`].
    Development,
    /// NIST SP 800-63B-4 §2.1.3: [`SessionConfig::aal1`].
    Aal1,
    /// NIST SP 800-63B-4 §2.2.3: [`SessionConfig::aal2`].
    Aal2,
    /// NIST SP 800-63B-4 §2.3.3: [`SessionConfig::aal3`].
    Aal3,
}

impl Preset {
    /// The word for it in the settings.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, preset)| *preset == self).map_or("", |(word, _)| word)
    }

    /// The configuration that it stands for.
    pub fn config(self) -> SessionConfig {
        match self {
            Self::Default => SessionConfig::default(),
            Self::Production => SessionConfig::production(),
            Self::Development => SessionConfig::development(),
            Self::Aal1 => SessionConfig::aal1(),
            Self::Aal2 => SessionConfig::aal2(),
            Self::Aal3 => SessionConfig::aal3(),
        }
    }
}

/// When a change counts as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Synchronous {
    /// When it is on disk: survives a power failure.
    #[default]
    Full,
    /// When the operating system has it: survives the process, not a power failure.
    Normal,
}

/// What access tokens are signed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Algorithm {
    /// ECDSA on P-256.
    #[default]
    Es256,
    /// EdDSA on Curve25519, under the name that RFC 9864 gives it.
    Ed25519,
    /// One secret, shared with every verifier.
    Hs256,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// From which weight on log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may become a failure.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// What led to it.
    Debug,
    /// Everything.
    Trace,
}

/// A type whose values are words.
trait Choice: Copy + PartialEq + 'static {
    /// The word for each value.
    const WORDS: &[(&str, Self)];
}

impl<T: Choice> Value for T {
    fn allowed(_: &Row) -> String {
        let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect();
        match words.split_last() {
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        }
    }

    fn read(raw: &Raw, _: &Row) -> Result<Self, Wrong> {
        let text = raw.text().unwrap_or_default();
        let known = Self::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        known.map_or_else(|| raw.wrong(), |(_, value)| Ok(*value))
    }

    fn shown(&self, _: &Row) -> Json {
        let known = Self::WORDS.iter().find(|(_, value)| value == self);
        known.map_or(Json::Null, |(word, _)| (*word).into())
    }
}

impl Choice for Preset {
    const WORDS: &[(&str, Self)] = &[
        ("default", Self::Default),
        ("production", Self::Production),
        ("development", Self::Development),
        ("aal1", Self::Aal1),
        ("aal2", Self::Aal2),
        ("aal3", Self::Aal3),
    ];
}

impl Choice for Synchronous {
    const WORDS: &[(&str, Self)] = &[("full", Self::Full), ("normal", Self::Normal)];
}

impl Choice for LimitStrategy {
    const WORDS: &[(&str, Self)] = &[
        ("deny", Self::Deny),
        ("end_oldest", Self::EndOldest),
        ("end_next_to_expire", Self::EndNextToExpire),
    ];
}

impl Choice for ReusePolicy {
    const WORDS: &[(&str, Self)] = &[("end", Self::End), ("suspend", Self::Suspend)];
}

impl Choice for SameSite {
    const WORDS: &[(&str, Self)] =
        &[("strict", Self::Strict), ("lax", Self::Lax), ("none", Self::None)];
}

impl Choice for Algorithm {
    const WORDS: &[(&str, Self)] =
        &[("ES256", Self::Es256), ("Ed25519", Self::Ed25519), ("HS256", Self::Hs256)];
}

impl Choice for RiskAction {
    const WORDS: &[(&str, Self)] = &[
        ("off", Self::Off),
        ("notify", Self::Notify),
        ("step_up", Self::StepUp),
        ("suspend", Self::Suspend),
        ("end", Self::End),
    ];
}

impl Choice for LogFormat {
    const WORDS: &[(&str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl Choice for LogLevel {
    const WORDS: &[(&str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}
