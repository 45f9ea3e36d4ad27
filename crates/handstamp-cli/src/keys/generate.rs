//! `handstamp keys generate`.

use std::io::ErrorKind;

use handstamp_core::key::KeyRing;
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::output;
use crate::settings::{self, Source};

/// Where the ring goes.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// Print the key ring instead, for a secret manager; it is the secret itself
    #[arg(long, conflicts_with_all = ["keys", "json"])]
    stdout: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    if options.stdout {
        let text = KeyRing::generate().and_then(|ring| ring.to_json());
        let text = text.map_err(|error| settings::no_ring(&error))?;
        return output::print(format!("{}\n", *text).as_bytes());
    }
    let settings = super::load(&options.source)?;
    let path = settings::key_file(&settings.keys)?;
    let ring = KeyRing::create(path).map_err(|error| {
        if error.is_io(ErrorKind::AlreadyExists) {
            let path = path.display();
            let line = format!("there is a key ring at {path}; handstamp keys rotate adds a key");
            return Failure::new(line).with(Exit::Refused);
        }
        settings::no_ring(&error)
    })?;
    if options.json {
        return output::json(
            &json!({ "file": path.to_string_lossy(), "active": ring.active_id() }),
        );
    }
    output::line(&format!("made {} with one key", path.display()))
}
