//! `handstamp logout`.

use handstamp_client::SignedOut;
use serde_json::json;

use super::Flags;
use crate::failure::Failure;
use crate::output;
use crate::words::count;

/// Where to sign out.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Sign out on every device, and not only here; takes a service that can be reached
    #[arg(long)]
    all: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Signs out.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        if options.all {
            let manager = opened.renewed().await?;
            let ended = manager.logout_all_devices().await.map_err(|error| opened.failed(error))?;
            if options.json {
                return output::json(&json!({ "ended": ended }));
            }
            return output::line(&format!("signed out everywhere: {}", count(ended, "session")));
        }
        let signed_out = opened.manager()?.logout().await.map_err(|error| opened.failed(error))?;
        if options.json {
            return output::json(&json!({
                "signed_out": signed_out != SignedOut::Nobody,
                "service_knows": signed_out != SignedOut::Here,
            }));
        }
        output::line(match signed_out {
            SignedOut::Everywhere => "signed out",
            SignedOut::Here => "signed out here; the service hears of it with the next command",
            SignedOut::Nobody => "nobody was signed in",
        })
    })
}
