//! The command line of `service`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures the session service over HTTP beside its peers, in one run.
#[derive(Parser, Debug)]
#[command(name = "service", bin_name = "cargo xtask bench service")]
pub(crate) struct Options {
    /// A smoke run: one short round, few sessions. Its figures mean nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds whose median is taken
    #[arg(long)]
    rounds: Option<usize>,
    /// How long one measurement takes
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Who is measured beside us
    #[arg(long, value_delimiter = ',', default_value = "all")]
    peers: Vec<Choice>,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    part: Vec<Part>,
    /// How many sessions are many
    #[arg(long)]
    sessions: Option<u64>,
    /// The `handstamp` program; it is built first by default
    #[arg(long)]
    pub(crate) program: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) child: Option<Child>,
}

/// What this program does when it is started by itself.
#[derive(Subcommand, Debug)]
pub(crate) enum Child {
    /// Be the bare handler: give one answer to every request for one path
    #[command(hide = true)]
    Answer {
        /// A file that holds the answer
        file: PathBuf,
        /// Where to listen, on 127.0.0.1
        port: u16,
    },
}

/// A part of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Part {
    /// One session check: ours, a bare handler with the same answer, peers
    Checks,
    /// Sign-ins and refreshes, durable
    Changes,
    /// Checks while many sign in
    Storm,
    /// Memory, and lists among many sessions
    Many,
}

/// A word of `--peers`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Choice {
    None,
    All,
    ExpressSession,
    BetterAuth,
    Django,
    Fastapi,
}

/// A project whose sessions are checked beside ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Project {
    ExpressSession,
    BetterAuth,
    Django,
    Fastapi,
}

impl Project {
    const ALL: [Self; 4] = [Self::ExpressSession, Self::BetterAuth, Self::Django, Self::Fastapi];

    /// Its folder in `bench/peers/`.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::ExpressSession => "express-session",
            Self::BetterAuth => "better-auth",
            Self::Django => "django",
            Self::Fastapi => "fastapi",
        }
    }

    const fn choice(self) -> Choice {
        match self {
            Self::ExpressSession => Choice::ExpressSession,
            Self::BetterAuth => Choice::BetterAuth,
            Self::Django => Choice::Django,
            Self::Fastapi => Choice::Fastapi,
        }
    }
}

impl Options {
    /// Three, or one of a smoke run.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 }).max(1)
    }

    /// How long one measurement takes.
    pub(crate) const fn span(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.seconds })
    }

    /// How many sessions are many.
    pub(crate) fn many(&self) -> u64 {
        self.sessions.unwrap_or(if self.quick { 5_000 } else { 1_000_000 })
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.part.is_empty() || self.part.contains(&part)
    }

    /// Who is measured beside us; nobody if `none` is among the words.
    pub(crate) fn projects(&self) -> Vec<Project> {
        let is_named = |word| self.peers.contains(&word);
        let is_asked = |project: &Project| is_named(Choice::All) || is_named(project.choice());
        let asked = Project::ALL.into_iter().filter(is_asked);
        asked.filter(|_| !is_named(Choice::None)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projects(peers: &str) -> Vec<&'static str> {
        let options = Options::try_parse_from(["service", "--peers", peers]).unwrap();
        options.projects().into_iter().map(Project::folder).collect()
    }

    #[test]
    fn peers_are_all_none_or_those_that_are_named() {
        assert_eq!(projects("all").len(), 4);
        assert!(projects("none").is_empty());
        assert_eq!(projects("fastapi,django"), ["django", "fastapi"]);
    }
}
