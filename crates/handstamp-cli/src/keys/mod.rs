//! `handstamp keys`.

mod generate;
mod list;
mod retire;
mod rotate;

use handstamp_core::key::{KeyRing, KeyState};
use handstamp_server::settings::{Keys, Settings};

use crate::failure::{Exit, Failure};
use crate::settings::{self, Listen, Source};

/// What to do with the key ring.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Make a key ring with one fresh key, where there is none yet
    Generate(generate::Options),
    /// Add a fresh key that makes new tokens from now on; nobody is signed out
    Rotate(rotate::Options),
    /// Show ids, states and ages of the keys, never the keys
    List(list::Options),
    /// Refuse what a key made: one that leaked, or one that no session needs any more
    Retire(retire::Options),
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Generate(options) => generate::run(options),
        Command::Rotate(options) => rotate::run(options),
        Command::List(options) => list::run(options),
        Command::Retire(options) => retire::run(options),
    }
}

fn load(source: &Source) -> Result<Settings, Failure> {
    let loaded = source.load(&Listen::default())?;
    settings::warn(&loaded);
    Ok(loaded.settings)
}

fn open(keys: &Keys) -> Result<KeyRing, Failure> {
    settings::key_ring(keys, |path| KeyRing::open(path))
}

/// Opens the ring to change it, which only works on a file.
fn open_to_change(keys: &Keys) -> Result<KeyRing, Failure> {
    if keys.ring.is_some() {
        let line = "the key ring comes from keys.ring, and is not written back there; \
                    name a file with --keys, then hand that to your secret manager";
        return Err(Failure::new(line).with(Exit::Refused));
    }
    open(keys)
}

const fn word(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Older => "older",
        KeyState::Retired => "retired",
    }
}
