//! `cargo xtask test`: all tests there are, on a machine that has only Rust.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::tally::Tally;
use crate::{Answer, beside, prepare, shared, shell};

/// Tells tests that look for rare faults to look longer.
const LONG: &str = "HANDSTAMP_LONG";

#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Hunt longer: sets HANDSTAMP_LONG=1, and tries SQLx beside us
    #[arg(long)]
    long: bool,
    /// Only tests whose name contains one of these
    filter: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Answer {
    let chromium = prepare::all_tests()?;
    let fuzzer = prepare::fuzzer()?;
    let binary = build()?;
    let mut rows = vec![
        ("Rust", rust(options, &fuzzer)?),
        ("two nodes", two_nodes(options, &fuzzer)?),
        ("browser", browser(options, &chromium, &binary)?),
    ];
    if options.long {
        rows.push(("beside SQLx", shell::step("beside SQLx", beside::run)));
    }
    let all = summary(&rows, options);
    if all.total() == 0 { Err("no test has such a name".into()) } else { Ok(all) }
}

/// Builds the `handstamp` program, which browser tests start; answers where it is.
fn build() -> Result<PathBuf, String> {
    eprintln!("Building the program");
    let messages = shell::read(shell::cargo().args([
        "build",
        "--package",
        "handstamp-cli",
        "--all-features",
        "--message-format",
        "json-render-diagnostics",
    ]))?;
    let built = messages.lines().find_map(handstamp_binary);
    built.ok_or_else(|| "cargo built no program called handstamp".into())
}

/// All Rust tests of the workspace, those in documentation included.
fn cargo_test() -> Command {
    let mut command = shell::cargo();
    command.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    command
}

/// The path of the program in a message of cargo's, if it is the one about the `handstamp` binary
/// itself (not about its unit tests).
fn handstamp_binary(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_it = message["target"]["name"] == "handstamp"
        && message["target"]["kind"][0] == "bin"
        && message["profile"]["test"] == false;
    is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
}

fn rust(options: &Options, fuzzer: &Path) -> Answer {
    let mut command = cargo_test();
    command.env("SCHEMATHESIS", fuzzer).arg("--").args(&options.filter);
    counted(&mut command, options, Tally::see_libtest)
}

fn two_nodes(options: &Options, fuzzer: &Path) -> Answer {
    let mut command = shared::tests(&options.filter, fuzzer)?;
    counted(&mut command, options, Tally::see_libtest)
}

/// The tests of `e2e/`, one file after another: each starts browsers of its own.
fn browser(options: &Options, chromium: &Path, binary: &Path) -> Answer {
    let mut command = shell::command("node");
    command
        .args(["--test", "--test-reporter=spec", "--test-concurrency=1"])
        .args(options.filter.iter().map(|part| format!("--test-name-pattern={part}")))
        .args(browser_test_files()?)
        .env("CHROMIUM", chromium)
        .env("HANDSTAMP_BIN", binary);
    counted(&mut command, options, Tally::see_node)
}

fn browser_test_files() -> Result<Vec<PathBuf>, String> {
    let folder = shell::root().join("e2e/tests");
    let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    if files.is_empty() { Err(format!("no tests in {}", folder.display())) } else { Ok(files) }
}

fn counted(command: &mut Command, options: &Options, see: fn(&mut Tally, &str)) -> Answer {
    if options.long {
        command.env(LONG, "1");
    }
    let mut tally = Tally::default();
    let is_good = shell::each_line(command, |line| {
        println!("{line}");
        see(&mut tally, line);
    })?;
    Ok(tally.with_exit(is_good))
}

fn summary(rows: &[(&str, Tally)], options: &Options) -> Tally {
    println!();
    let mut all = Tally::default();
    for (name, tally) in rows {
        println!("{name:<12} {tally}");
        all += *tally;
    }
    if options.filter.is_empty() && all.left_out > 0 {
        println!("{} were left out: that should not be", all.left_out);
    }
    if options.long {
        println!("A long run, on {}.", shell::read(&mut date()).unwrap_or_default().trim());
    }
    if all.failed > 0 {
        println!("Some tests FAILED: see above.");
    }
    all
}

fn date() -> Command {
    let mut command = shell::command("date");
    command.args(["-u", "+%Y-%m-%d"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, is_test: bool) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"handstamp"}},
               "profile":{{"test":{is_test}}},"executable":"/t/handstamp"}}"#
        )
    }

    #[test]
    fn the_binary_is_told_from_the_library_and_from_its_own_unit_tests() {
        assert_eq!(handstamp_binary(&message("bin", false)), Some("/t/handstamp".into()));
        assert_eq!(handstamp_binary(&message("bin", true)), None);
        assert_eq!(handstamp_binary(&message("lib", false)), None);
        assert_eq!(handstamp_binary("not json"), None);
    }

    #[test]
    fn the_summary_adds_up() {
        let failed = summary(&[("a", Tally::PASSED), ("b", Tally::FAILED)], &Options::default());
        assert_eq!((failed.passed, failed.failed), (1, 1));
    }
}
