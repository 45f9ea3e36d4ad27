//! `handstamp completions`.

use clap_complete::Shell;

use crate::failure::Failure;
use crate::{args, output};

/// What is to be completed.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
}

/// Prints what the shell reads to complete our command line.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut args::command(), "handstamp", &mut script);
    output::print(&script)
}
