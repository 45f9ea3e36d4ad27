//! `cargo xtask bench`: the measurements of `bench/`, a workspace of its own so that the peers it
//! measures stay out of ours.

use crate::tally::Tally;
use crate::{Answer, shell};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which measurement: a binary of `bench/`, such as `web`
    which: String,
    /// Given to the measurement
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Answer {
    shell::run(
        shell::cargo()
            .args(["run", "--release", "--manifest-path", "bench/Cargo.toml", "--bin"])
            .args([&options.which, "--"])
            .args(&options.args),
    )?;
    Ok(Tally::default())
}
