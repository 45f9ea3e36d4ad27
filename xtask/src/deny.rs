//! cargo-deny: licences, banned and doubled crates, sources.

use std::path::PathBuf;

use crate::tally::Tally;
use crate::{Answer, shell};

/// Runs cargo-deny by `deny.toml`, from the crates that are on this machine.
///
/// With `is_optional`, a missing cargo-deny is said and passed over; otherwise it is built into
/// `target/tools`, which takes minutes.
pub(crate) fn run(is_optional: bool, with_advisories: bool) -> Answer {
    let tool = match installed() {
        Some(tool) => tool,
        None if is_optional => {
            println!("NOT CHECKED: licences, bans, sources (cargo-deny is not installed)");
            return Ok(Tally::LEFT_OUT);
        }
        None => install()?,
    };
    let mut command = shell::command(tool);
    command.args(["--all-features", "check", "bans", "licenses", "sources"]);
    if with_advisories {
        command.arg("advisories");
    } else {
        println!("not checked: advisories (their database is fetched from GitHub; --advisories)");
    }
    shell::run(&mut command)?;
    Ok(Tally::PASSED)
}

fn home() -> PathBuf {
    shell::target().join("tools")
}

fn installed() -> Option<PathBuf> {
    shell::find(home().join("bin/cargo-deny")).or_else(|| shell::find("cargo-deny"))
}

fn install() -> Result<PathBuf, String> {
    shell::run(shell::cargo().args(["install", "--locked", "cargo-deny", "--root"]).arg(home()))?;
    Ok(home().join("bin/cargo-deny"))
}
