//! What the parent prints, and what it writes to `target/bench/web.json`.

mod aims;
mod tables;

use serde_json::{Value, json};

use crate::aim::Aim;
use crate::batches::{self, Batches};
use crate::million::{self, Million};
use crate::options::{Options, Part};
use crate::requests::{self, Requests};
use crate::{Fault, disk, machine};

/// Everything that was measured; a part that was not asked for is missing.
#[derive(Default)]
struct Found {
    requests: Option<Requests>,
    batches: Option<Batches>,
    million: Option<Million>,
}

/// Measures, prints, writes.
pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    let mut found = Found::default();
    let before = machine::load();
    if options.has(Part::Requests) {
        eprintln!("Requests");
        let requests = requests::measure(options)?;
        tables::requests(&requests);
        found.requests = Some(requests);
    }
    if options.has(Part::Batches) {
        eprintln!("Batches");
        let batches = batches::compare(options)?;
        tables::batches(&batches);
        found.batches = Some(batches);
    }
    if options.has(Part::Million) {
        eprintln!("Many sessions");
        let million = million::run(options)?;
        tables::million(&million);
        found.million = Some(million);
    }
    let aims = aims::judge(&found);
    println!("\nAims");
    aims.iter().for_each(|aim| println!("{aim}"));
    if options.quick {
        println!("\nA quick run: these figures show that it runs, nothing else.");
    }
    println!(
        "\nWaiting for a processor on this machine: {before} before, {} after.",
        machine::load()
    );
    let path = disk::folder()?.join("web.json");
    std::fs::write(&path, format!("{:#}\n", found.to_json(options, &aims)))?;
    println!("All figures: target/bench/web.json");
    Ok(())
}

impl Found {
    fn to_json(&self, options: &Options, aims: &[Aim]) -> Value {
        json!({
            "quick": options.quick,
            "rounds": options.rounds(),
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "requests": self.requests.as_ref().map(Requests::to_json),
            "batches": self.batches.map(Batches::to_json),
            "million": self.million,
            "aims": aims,
        })
    }
}
