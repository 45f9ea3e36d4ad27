//! What a token costs, what a request costs beyond that, how long a start takes, how soon a change
//! is seen, and what it costs to wait.

mod idle;
mod measure;
mod ours;
mod peers;
mod starting;
mod tokens;
mod watching;

use std::time::Duration;

use clap::Parser;
use measure::{Aim, processor};

/// What a measurement fails with.
type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
struct Options {
    /// How long to watch a client that has nothing to do, in seconds
    #[arg(long, default_value_t = 120)]
    idle_seconds: u64,
    /// Leave the peers out
    #[arg(long)]
    alone: bool,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    println!("{}, load {}\n", processor(), measure::load());
    let mut aims = Vec::new();
    tokens::run(!options.alone, &mut aims)?;
    starting::run(&mut aims)?;
    watching::run(&mut aims)?;
    idle::run(Duration::from_secs(options.idle_seconds), &mut aims)?;
    println!();
    aims.iter().for_each(Aim::print);
    Ok(())
}
