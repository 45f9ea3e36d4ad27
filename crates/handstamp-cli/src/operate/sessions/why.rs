//! `handstamp sessions why`.

use std::io::Read;

use handstamp_core::SessionId;
use handstamp_protocol::paths;
use handstamp_protocol::why::{Why, WhyRequest};
use reqwest::Method;
use serde_json::json;

use crate::failure::Failure;
use crate::operate::{Flags, Missing, with};
use crate::output;
use crate::words::{or_nothing, point};

/// The longest that a token can be, with room to spare.
const LONGEST_TOKEN: u64 = 4096;

/// Which session.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Its id, or a token of it, or - to read a token from stdin: other programs can see what
    /// stands on a command line
    #[arg(value_name = "ID|TOKEN|-")]
    which: String,

    #[command(flatten)]
    flags: Flags,
}

/// Says it.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let which = if options.which == "-" { from_stdin()? } else { options.which.clone() };
    with(&options.flags, Missing::Refuse, async |running| {
        let why: Why = if which.parse::<SessionId>().is_ok() {
            running.get(&paths::with(paths::LOCAL_SESSION_WHY, &which), &()).await?
        } else {
            let request = WhyRequest { token: which.as_str().into() };
            running.send(Method::POST, paths::WHY, &request).await?
        };
        if options.flags.json {
            return output::json(&json!(why));
        }
        output::line(&told(&why))
    })
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(LONGEST_TOKEN).read_to_string(&mut text);
    read.map_err(|error| Failure::because("cannot read stdin", &error))?;
    Ok(text.trim().to_owned())
}

fn told(why: &Why) -> String {
    if let Some(reason) = &why.reason {
        return format!("ended at {}: {reason}", or_nothing(why.ended_at.map(point)));
    }
    let state = if why.is_active { "live" } else { "suspended" };
    match (&why.first_to_expire, why.at) {
        (Some(first), Some(at)) => {
            format!("{state}; the first to end it: {first} at {}", point(at))
        }
        _ => state.into(),
    }
}
