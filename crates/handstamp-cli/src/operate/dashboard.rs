//! `handstamp dashboard`.

use handstamp_protocol::admin::DashboardLink;
use handstamp_protocol::paths;
use reqwest::Method;
use serde_json::json;

use super::{Flags, Missing, with};
use crate::failure::{Exit, Failure};
use crate::output;

/// Of which service.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    flags: Flags,
}

/// Prints the link.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    with(&options.flags, Missing::Refuse, async |running| {
        if !running.is_elsewhere() {
            let line = "no service runs here, so there is no dashboard; start handstamp serve";
            return Err(Failure::new(line).with(Exit::Unreachable));
        }
        let made: DashboardLink =
            running.send(Method::POST, paths::LOCAL_DASHBOARD_LINK, &json!({})).await?;
        if options.flags.json {
            return output::json(&json!(made));
        }
        output::line(made.link.expose())
    })
}
