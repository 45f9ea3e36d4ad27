//! `handstamp man`.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::{args, output};

/// Where manual pages go.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Write a page for every command into this folder, instead of printing the first one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the manual page, or writes all of them.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    match &options.dir {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(args::command(), folder))
            .map_err(|error| {
                Failure::because(format!("cannot write to {}", folder.display()), &error)
            }),
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(args::command()).render(&mut page);
            rendered.map_err(|error| Failure::because("cannot make the page", &error))?;
            output::print(&page)
        }
    }
}
