//! The command line.

mod ids;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::{Exit, Failure};
use crate::{completions, man};

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or stopped as asked
  1  could not be done, or could not go on; stderr says why
  2  the command line or the settings cannot be understood
  3  what was named is not there
  4  not allowed, or not safe
  5  the service cannot be reached
  6  nobody is signed in, or the session is over: sign in";

/// Sessions at both ends of the wire.
///
/// Handstamp begins where somebody has proved who they are, and ends when their last device is
/// signed out.
#[derive(Parser, Debug)]
#[command(name = "handstamp", version, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the session service
    #[cfg(feature = "serve")]
    Serve(crate::serve::Options),
    /// Show every setting of the service: what counts, its default, its unit, where it comes from
    #[cfg(feature = "serve")]
    Config(crate::config::Options),
    /// Make, change and list the root keys of the key ring
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Keys(crate::keys::Command),
    /// Make, list and revoke the keys of services that call
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    ServiceKey(crate::operate::service_key::Command),
    /// List sessions, end them, and say why they ended
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Sessions(crate::operate::sessions::Command),
    /// Show the owner of sessions, name its roles, disable it, enable it, erase it
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Subject(crate::operate::subject::Command),
    /// Read the audit log, export it, and check its chain
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Audit(crate::operate::audit::Command),
    /// Copy a store to another, live; sign everybody out of one that was restored
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Store(crate::store::Command),
    /// Print a new link that signs an operator in to the dashboard, once
    #[cfg(feature = "serve")]
    Dashboard(crate::operate::dashboard::Options),
    /// Look at everything that the service stands on, and say what is wrong
    #[cfg(feature = "serve")]
    Doctor(crate::operate::doctor::Options),
    /// Sign in to a service on this machine, and stay signed in
    #[cfg(feature = "holder")]
    Login(crate::holder::login::Options),
    /// Say whether you are signed in, as whom, and for how long
    #[cfg(feature = "holder")]
    Status(crate::holder::status::Options),
    /// Print who is signed in on this machine, without asking the service
    #[cfg(feature = "holder")]
    Whoami(crate::holder::whoami::Options),
    /// List where you are signed in, sign a device out, give one a name
    #[cfg(feature = "holder")]
    #[command(subcommand)]
    Devices(crate::holder::devices::Command),
    /// Sign out on this machine, or everywhere
    #[cfg(feature = "holder")]
    Logout(crate::holder::logout::Options),
    /// List the accounts of this machine, change between them, remove one
    #[cfg(feature = "holder")]
    #[command(subcommand)]
    Accounts(crate::holder::accounts::Command),
    /// Print an access token for a script, renewed first if that is due, and nothing else
    #[cfg(feature = "holder")]
    Token(crate::holder::token::Options),
    /// Open the demo: a small shop on this machine, and the service with its dashboard beside it
    #[cfg(feature = "demo")]
    Demo(crate::demo::Options),
    /// Print the completions of a shell
    Completions(completions::Options),
    /// Print the manual page, or write the pages of all commands
    Man(man::Options),
}

/// What the program answers instead of running a command.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Help or version, asked for.
    Asked(clap::Error),
    /// The command line cannot be understood: one line says why.
    Wrong(String),
}

impl Answer {
    /// Writes the answer; gives the exit code.
    pub(crate) fn give(&self) -> ExitCode {
        match self {
            Self::Asked(text) => {
                let _ = text.print();
                ExitCode::SUCCESS
            }
            Self::Wrong(line) => Failure::new(line.as_str()).with(Exit::Usage).tell(),
        }
    }
}

/// The whole command line, for whatever describes it.
pub(crate) fn command() -> clap::Command {
    finished(Line::command().max_term_width(100))
}

/// With exit codes under every help, and an error that says what is missing in place of all of the
/// help.
fn finished(command: clap::Command) -> clap::Command {
    command.after_help(EXIT_CODES).arg_required_else_help(false).mut_subcommands(finished)
}

/// Reads this process's command line.
pub(crate) fn read() -> Result<Command, Answer> {
    read_from(std::env::args_os())
}

fn read_from(line: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Command, Answer> {
    let command = command();
    let line = ids::told_from_flags(&command, line.into_iter().map(Into::into).collect());
    let matches = command.try_get_matches_from(line).map_err(answer)?;
    Line::from_arg_matches(&matches).map(|line| line.command).map_err(answer)
}

fn answer(error: clap::Error) -> Answer {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Asked(error),
        ErrorKind::MissingSubcommand => {
            let said = format!("say what to do: {}; see {}", commands(&error), help(&error));
            Answer::Wrong(said)
        }
        _ => Answer::Wrong(one_line(&error)),
    }
}

/// The commands that a line which ends too early could go on with.
fn commands(error: &clap::Error) -> String {
    match error.get(ContextKind::ValidSubcommand) {
        Some(ContextValue::Strings(names)) => names.join(", "),
        _ => String::new(),
    }
}

/// Where the right help is.
fn help(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let words = usage.trim().trim_start_matches("Usage:").split_whitespace();
    let named: Vec<_> = words.take_while(|word| !word.starts_with(['-', '<', '['])).collect();
    let command = if named.is_empty() { "handstamp".into() } else { named.join(" ") };
    format!("{command} --help")
}

/// What clap says over several lines, in one.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let said = first.strip_prefix("error: ").unwrap_or(first);
    let rest: Vec<_> = lines.collect();
    let said = if rest.is_empty() { said.into() } else { format!("{said} {}", rest.join(", ")) };
    format!("{said}; {}", hint(error))
}

fn hint(error: &clap::Error) -> String {
    let near =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let near = near.into_iter().find_map(|kind| error.get(kind)).and_then(|value| match value {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) => names.first().cloned(),
        _ => None,
    });
    match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("see {}", help(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &[&str]) -> String {
        match read_from(line) {
            Err(Answer::Wrong(said)) => said,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_command_says_its_exit_codes() {
        fn check(command: &clap::Command) {
            let after = command.get_after_help().unwrap_or_default().to_string();
            assert!(after.contains("Exit codes:"), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }

    #[test]
    fn nothing_asked_says_what_to_ask() {
        let said = wrong(&["handstamp"]);
        assert!(said.contains("completions") && said.ends_with("see handstamp --help"), "{said}");
    }

    #[test]
    fn a_command_that_is_nearly_right_is_answered_with_the_right_one() {
        let said = wrong(&["handstamp", "completion", "bash"]);
        assert!(said.ends_with("did you mean completions?"), "{said}");
    }

    #[cfg(feature = "demo")]
    #[test]
    fn a_flag_that_is_nearly_right_is_answered_with_the_right_one_in_one_line() {
        let said = wrong(&["handstamp", "demo", "--prot", "1"]);
        assert!(said.contains("did you mean --port?"), "{said}");
        assert_eq!(said.lines().count(), 1);
    }

    #[cfg(feature = "demo")]
    #[test]
    fn a_port_that_is_no_port_is_said_in_one_line() {
        let said = wrong(&["handstamp", "demo", "--port", "99999"]);
        assert!(said.contains("99999") && said.lines().count() == 1, "{said}");
    }

    #[cfg(feature = "serve")]
    #[test]
    fn an_argument_that_is_missing_is_named_with_the_help_of_its_command() {
        let said = wrong(&["handstamp", "keys", "retire"]);
        assert!(
            said.contains("<ID>") && said.ends_with("see handstamp keys retire --help"),
            "{said}"
        );
        let said = wrong(&["handstamp", "keys"]);
        assert!(said.contains("rotate") && said.ends_with("see handstamp keys --help"), "{said}");
    }
}
