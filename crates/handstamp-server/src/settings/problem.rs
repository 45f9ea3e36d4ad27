//! Where a value came from, and what is wrong with it.

use std::fmt;
use std::sync::Arc;

/// Where the value of a setting comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// Nobody set it, and the preset of this name says it.
    Preset(&'static str),
    /// The file, at this line and column, counted from 1.
    File {
        /// The file, as it was named.
        path: Arc<str>,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// The environment variable of this name.
    Variable(String),
    /// A flag, as it is written.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::File { path, line, .. } => write!(f, "{path}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One thing that is wrong, in one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where.
    pub source: Source,
    /// What, what is allowed, and which key may have been meant. Never repeats a secret.
    pub message: String,
}

impl Problem {
    pub(super) fn new(source: &Source, message: impl Into<String>) -> Self {
        Self { source: source.clone(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.message;
        match &self.source {
            Source::Default | Source::Preset(_) => f.write_str(message),
            Source::File { path, line, column } => write!(f, "{path}:{line}:{column}: {message}"),
            Source::Variable(name) => write!(f, "environment variable {name}: {message}"),
            Source::Flag(flag) => write!(f, "flag {flag}: {message}"),
        }
    }
}

/// The settings cannot be used. Nothing was started or changed; it helps to mend what is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsError(pub(super) Vec<Problem>);

impl SettingsError {
    /// Everything that is wrong, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("the settings cannot be used"),
            [only] => only.fmt(f),
            [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
        }
    }
}

impl std::error::Error for SettingsError {}
