//! Running other programs, and saying so.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Answer;
use crate::tally::Tally;

/// The workspace's root: the parent of this crate.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where builds go that are nobody's business.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command in the workspace's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Where a program lies that is named by its path, or by a name to look up.
pub(crate) fn find(program: impl AsRef<Path>) -> Option<PathBuf> {
    let program = program.as_ref();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_path = program.components().count() > 1;
    let folders =
        if is_path { vec![PathBuf::new()] } else { std::env::split_paths(&path).collect() };
    folders.iter().map(|folder| folder.join(program)).find(|place| place.is_file())
}

/// Whether a program can be started.
pub(crate) fn is_there(program: impl AsRef<Path>) -> bool {
    find(program).is_some()
}

/// Runs a command to its end, showing it and what it prints.
///
/// # Errors
/// It could not be started, or it failed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    eprintln!("$ {}", shown(command));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", shown(command))),
        Err(error) => Err(format!("`{}` could not be started: {error}", shown(command))),
    }
}

/// Runs a command to its end and answers what it printed.
///
/// # Errors
/// It could not be started, or it failed.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    let mut text = String::new();
    let is_good = each_line(command, |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    if is_good { Ok(text) } else { Err(format!("`{}` failed", shown(command))) }
}

/// Runs a command to its end, giving each line it prints to `see`; answers whether it succeeded.
///
/// # Errors
/// It could not be started, or not be read from.
pub(crate) fn each_line(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool, String> {
    let name = shown(command);
    let unable = |error: std::io::Error| format!("`{name}` could not be run: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(unable)?;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n') {
            see(&String::from_utf8_lossy(&line.map_err(unable)?));
        }
    }
    child.wait().map(|status| status.success()).map_err(unable)
}

/// Carries out a step of several, says so, and counts it: what it counted itself, or as one.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Answer) -> Tally {
    eprintln!("\n── {name}");
    match work() {
        Ok(tally) if tally != Tally::default() => tally,
        Ok(_) => Tally::PASSED,
        Err(why) => {
            eprintln!("error: {why}");
            Tally::FAILED
        }
    }
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = read(&mut command("false")).unwrap_err();
        assert!(error.contains("`false`"), "{error}");
    }

    #[test]
    fn every_line_is_seen_even_if_it_is_not_utf8() {
        let mut lines = Vec::new();
        let is_good = each_line(command("printf").arg(r"a\n\377b\nc"), |line| {
            lines.push(line.to_owned());
        });
        assert_eq!((is_good, lines.len()), (Ok(true), 3));
    }

    #[test]
    fn programs_are_found_on_the_path_and_by_path() {
        assert!(is_there("sh"));
        assert!(is_there("/bin/sh"));
        assert!(!is_there("no-such-program-anywhere"));
        assert!(!is_there("/no/such/program"));
    }

    #[test]
    fn a_step_that_fails_counts_as_one_failure() {
        assert_eq!(step("good", || Ok(Tally::default())), Tally::PASSED);
        assert_eq!(step("bad", || Err("as meant".into())), Tally::FAILED);
    }
}
