//! `handstamp keys rotate`.

use serde_json::json;

use crate::failure::Failure;
use crate::output;
use crate::settings::{self, Source};

/// Which ring.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let settings = super::load(&options.source)?;
    let ring = super::open_to_change(&settings.keys)?;
    let before = ring.active_id();
    let active = ring.rotate().map_err(|error| settings::no_ring(&error))?;
    if options.json {
        return output::json(&json!({ "active": active, "before": before }));
    }
    output::line(&format!("key {active} makes new tokens; what key {before} made stays good"))
}
