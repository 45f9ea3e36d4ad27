//! The command line of `stores`, of the parent and of its children.

use std::fmt;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::options::{Case, name};

/// Measures sessions in PostgreSQL beside their peers, in one run.
#[derive(Parser, Debug)]
#[command(name = "stores", bin_name = "cargo xtask bench stores")]
pub(crate) struct Options {
    /// A smoke run: one short round, few sessions. Its figures mean nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds whose median is taken
    #[arg(long)]
    rounds: Option<usize>,
    /// How long one measurement takes, in milliseconds
    #[arg(long, default_value_t = 2000)]
    millis: u64,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    part: Vec<Part>,
    /// How many sessions are many
    #[arg(long)]
    sessions: Option<u64>,
    /// Leave out the peer in another language, which npm installs
    #[arg(long)]
    pub(crate) no_express: bool,
    #[command(subcommand)]
    pub(crate) child: Option<Child>,
}

/// What this program does when it is started by itself.
#[derive(Subcommand, Debug)]
pub(crate) enum Child {
    /// Measure one thing and print it
    #[command(hide = true)]
    Measure(Measured),
    /// Serve over HTTP until told to end
    #[command(hide = true)]
    Serve(Served),
}

/// What a child measures.
#[derive(Args, Clone, Debug)]
pub(crate) struct Measured {
    #[arg(long, value_enum)]
    pub(crate) who: Who,
    #[arg(long, value_enum)]
    pub(crate) what: What,
    /// How many clients at once; 1 on the current thread, more on two threads
    #[arg(long)]
    pub(crate) clients: usize,
    #[arg(long)]
    pub(crate) millis: u64,
    /// How many sessions there are, where that matters
    #[arg(long, default_value_t = 0)]
    pub(crate) sessions: u64,
    /// An empty database
    #[arg(long)]
    pub(crate) url: String,
}

/// What a child serves.
#[derive(Args, Clone, Debug)]
pub(crate) struct Served {
    #[arg(long, value_enum)]
    pub(crate) who: Who,
    #[arg(long)]
    pub(crate) url: String,
    #[arg(long)]
    pub(crate) port: u16,
}

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// A router behind a layer that does nothing
    PassThrough,
    /// Handstamp
    Handstamp,
    /// tower-sessions 0.14 with its own store
    TowerSessions,
    /// The driver alone
    Raw,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// A request that does not ask for its session
    Untouched,
    /// A request that reads one of four values
    Read,
    /// A request that writes one back plus one
    Write,
    /// A request that moves the idle limit
    Touch,
    /// A session that this process does not know is loaded; raw: a row is read by its key
    Cold,
    /// Raw: 32 rows replaced by their versions, and 32 inserted, in one transaction
    Loop,
    /// Cold reads, then durable writes by 32 clients, among so many sessions
    Many,
}

impl What {
    /// What a request can do.
    pub(crate) const OF_REQUESTS: [Self; 4] =
        [Self::Untouched, Self::Read, Self::Write, Self::Touch];

    /// The case of the handlers that all programs share.
    pub(crate) const fn case(self) -> Case {
        match self {
            Self::Read => Case::Read,
            Self::Write => Case::Write,
            Self::Touch => Case::Touch,
            _ => Case::Untouched,
        }
    }
}

/// A part of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Part {
    /// Time per request
    Requests,
    /// A session that the process does not know
    Cold,
    /// Changes per second against the driver alone
    Loop,
    /// Processor time of a request while another node works
    Nodes,
    /// Few sessions and many
    Many,
    /// Over HTTP
    Web,
}

impl Options {
    /// Three, or one of a smoke run.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 }).max(1)
    }

    /// How long one measurement takes.
    pub(crate) const fn span(&self) -> Duration {
        Duration::from_millis(if self.quick { 200 } else { self.millis })
    }

    /// How many sessions are many.
    pub(crate) fn many(&self) -> u64 {
        self.sessions.unwrap_or(if self.quick { 2_000 } else { 1_000_000 })
    }

    /// The parts that are asked for, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        let is_asked = |part: &Part| self.part.is_empty() || self.part.contains(part);
        Part::value_variants().iter().copied().filter(is_asked)
    }
}

impl Measured {
    /// As arguments of this program.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { who, what, clients, millis, sessions, url } = self;
        let (who, what) = (name(who), name(what));
        let numbers = [clients.to_string(), millis.to_string(), sessions.to_string()];
        let [clients, millis, sessions] = &numbers;
        ["measure", "--who", &who, "--what", &what, "--clients", clients, "--millis", millis]
            .into_iter()
            .chain(["--sessions", sessions, "--url", url])
            .map(str::to_owned)
            .collect()
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PassThrough => "pass-through layer",
            Self::Handstamp => "Handstamp",
            Self::TowerSessions => "tower-sessions",
            Self::Raw => "driver alone",
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Untouched => "untouched",
            Self::Read => "read",
            Self::Write => "read + write",
            Self::Touch => "true idle touch",
            Self::Cold => "cold read",
            Self::Loop => "loop of batches",
            Self::Many => "many",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Requests => "Requests",
            Self::Cold => "Cold reads",
            Self::Loop => "Changes against the driver alone",
            Self::Nodes => "Two nodes",
            Self::Many => "Few sessions and many",
            Self::Web => "Over HTTP",
        })
    }
}
