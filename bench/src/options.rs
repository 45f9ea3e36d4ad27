//! The command line, of the parent and of its children.

use std::fmt;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

/// Measures Handstamp beside its peers, in one run.
#[derive(Parser, Debug)]
pub(crate) struct Options {
    /// A smoke run of under a minute: one short round, small numbers. Its figures mean nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also count instructions per request, with valgrind
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Rounds whose median is taken
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
    /// Only these parts
    #[arg(long, value_enum)]
    pub(crate) part: Vec<Part>,
    /// Be a child: measure this peer
    #[arg(long, value_enum)]
    pub(crate) peer: Option<Peer>,
    /// What the child measures
    #[arg(long, value_enum, default_value = "untouched")]
    pub(crate) case: Case,
    /// How many clients the child runs at once; 1 on the current thread, more on two threads
    #[arg(long, default_value_t = 1)]
    pub(crate) clients: usize,
    /// How long the child measures, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pub(crate) millis: u64,
    /// Let the child send so many requests, however long it takes
    #[arg(long)]
    pub(crate) count: Option<u64>,
}

impl Options {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 }).max(1)
    }

    /// How long one measurement takes.
    pub(crate) const fn span(&self) -> Duration {
        Duration::from_millis(if self.quick { 40 } else { self.millis })
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.part.is_empty() || self.part.contains(&part)
    }
}

/// A part of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Part {
    /// Time per request, durable writes, allocations
    Requests,
    /// Batches of a store against a plain loop
    Batches,
    /// Many sessions
    Million,
}

/// Who is measured.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// The router without any layer
    Bare,
    /// The router behind a layer that does nothing
    PassThrough,
    /// Handstamp on its memory store
    HandstampMemory,
    /// Handstamp on SQLite, synchronous=FULL
    HandstampFull,
    /// Handstamp on SQLite, synchronous=NORMAL
    HandstampNormal,
    /// tower-sessions on its memory store
    TowerMemory,
    /// tower-sessions on SQLite, synchronous=FULL
    TowerFull,
    /// tower-sessions on SQLite, synchronous=NORMAL
    TowerNormal,
}

impl Peer {
    /// Everybody with sessions.
    pub(crate) const WITH_SESSIONS: [Self; 6] = [
        Self::HandstampMemory,
        Self::TowerMemory,
        Self::HandstampFull,
        Self::TowerFull,
        Self::HandstampNormal,
        Self::TowerNormal,
    ];
}

/// What a request does.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// Carries a session cookie; the handler does not ask for the session
    Untouched,
    /// Reads one of four values
    Read,
    /// Reads one of four values and writes it back plus one
    Write,
    /// Reads a value, and every request moves the idle limit
    Touch,
    /// Begins sessions and commits changes: no request, the store alone
    Batch,
    /// A plain loop of the statements that a batch is made of
    Loop,
    /// Many sessions: read, weigh, expire, start cold
    Million,
}

impl Case {
    /// What a request can do.
    pub(crate) const OF_REQUESTS: [Self; 4] =
        [Self::Untouched, Self::Read, Self::Write, Self::Touch];
}

/// The name on the command line.
pub(crate) fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare router",
            Self::PassThrough => "pass-through layer",
            Self::HandstampMemory => "Handstamp, memory",
            Self::HandstampFull => "Handstamp, SQLite FULL",
            Self::HandstampNormal => "Handstamp, SQLite NORMAL",
            Self::TowerMemory => "tower-sessions, memory",
            Self::TowerFull => "tower-sessions, SQLite FULL",
            Self::TowerNormal => "tower-sessions, SQLite NORMAL",
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Untouched => "untouched",
            Self::Read => "read",
            Self::Write => "read + write",
            Self::Touch => "true idle touch",
            Self::Batch => "batch",
            Self::Loop => "loop",
            Self::Million => "million",
        })
    }
}
