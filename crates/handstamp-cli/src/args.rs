//! The command line.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

use crate::failure::{Failure, say};

const EXIT_CODES: &str = "\
Exit codes:
  0  stopped as asked
  1  could not start, or could not go on; stderr says why in one line
  2  the command line cannot be understood";

/// Sessions at both ends of the wire.
#[derive(Parser, Debug)]
#[command(name = "handstamp", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Open the demo: a small shop on this machine, to try sessions in a browser.
    #[command(after_help = EXIT_CODES)]
    Demo(crate::demo::Options),
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
            Self::Wrong(line) => {
                say(line);
                ExitCode::from(Failure::USAGE_CODE)
            }
        }
    }
}

/// Reads this process's command line.
pub(crate) fn read() -> Result<Command, Answer> {
    Line::try_parse().map(|line| line.command).map_err(answer)
}

fn answer(error: clap::Error) -> Answer {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Asked(error),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Answer::Wrong(
                "say what to do, for example: handstamp demo (see handstamp --help)".into(),
            )
        }
        _ => Answer::Wrong(one_line(&error)),
    }
}

/// What clap says over several lines, in one.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let said = first.strip_prefix("error: ").unwrap_or(first);
    format!("{said}; {}", hint(error))
}

fn hint(error: &clap::Error) -> String {
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand];
    let near = near.into_iter().find_map(|kind| error.get(kind)).and_then(|value| match value {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) => names.first().cloned(),
        _ => None,
    });
    match near {
        Some(near) => format!("did you mean {near}?"),
        None => "see handstamp --help".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &[&str]) -> String {
        match Line::try_parse_from(line).map_err(answer) {
            Err(Answer::Wrong(said)) => said,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Line::command().debug_assert();
    }

    #[test]
    fn nothing_asked_says_what_to_ask() {
        assert!(wrong(&["handstamp"]).contains("handstamp demo"));
    }

    #[test]
    fn a_flag_that_is_nearly_right_is_answered_with_the_right_one_in_one_line() {
        let said = wrong(&["handstamp", "demo", "--prot", "1"]);
        assert!(said.contains("did you mean --port?"), "{said}");
        assert_eq!(said.lines().count(), 1);
    }

    #[test]
    fn a_port_that_is_no_port_is_said_in_one_line() {
        let said = wrong(&["handstamp", "demo", "--port", "99999"]);
        assert!(said.contains("99999") && said.lines().count() == 1, "{said}");
    }
}
