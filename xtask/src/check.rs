//! `cargo xtask check`: everything that is checked without running a test.

use crate::shell::{cargo, run as run_command, step};
use crate::tally::Tally;
use crate::{Answer, beside, deny, tidy, unit};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Do without cargo-deny where it is not installed, rather than building it for minutes
    #[arg(long)]
    no_install: bool,
    /// Also ask the advisory database, which is fetched from the network
    #[arg(long)]
    advisories: bool,
}

/// Carries out every check, also after one failed, and counts them.
pub(crate) fn run(options: &Options) -> Tally {
    [
        step("format", format),
        step("tidy", tidy::run),
        step("clippy", clippy),
        step("docs", docs),
        step("dependencies", || deny::run(options.no_install, options.advisories)),
        step("systemd unit", unit::run),
        step("beside SQLx", beside::run),
    ]
    .into_iter()
    .fold(Tally::default(), |all, one| all + one)
}

fn format() -> Answer {
    done(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Answer {
    let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    done(cargo().args(args))
}

fn docs() -> Answer {
    let args = ["doc", "--no-deps", "--workspace", "--all-features"];
    done(cargo().args(args).env("RUSTDOCFLAGS", "-D warnings"))
}

fn done(command: &mut std::process::Command) -> Answer {
    run_command(command).map(|()| Tally::PASSED)
}
