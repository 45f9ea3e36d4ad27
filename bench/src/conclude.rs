//! How a run ends: aims on the terminal, all figures in a file.

use serde::Serialize;
use serde_json::json;

use crate::aim::Aim;
use crate::{Fault, disk, machine};

/// What a run was like, beside what it found.
pub(crate) struct Run {
    /// The file in `target/bench`, without its ending.
    pub(crate) name: &'static str,
    pub(crate) is_quick: bool,
    pub(crate) rounds: usize,
    /// The machine's load before it.
    pub(crate) load: String,
}

impl Run {
    /// Prints the aims and writes everything down.
    pub(crate) fn conclude(self, found: &impl Serialize, aims: &[Aim]) -> Result<(), Fault> {
        let Self { name, is_quick, rounds, load } = self;
        println!("\nAims");
        aims.iter().for_each(|aim| println!("{aim}"));
        if is_quick {
            println!("\nA quick run: these figures show that it runs, nothing else.");
        }
        let (processor, after) = (machine::processor(), machine::load());
        println!("\nOn {processor}; waiting for a processor: {load} before, {after} after.");
        let all = json!({
            "quick": is_quick, "rounds": rounds, "machine": processor, "waiting": [load, after],
            "found": found, "aims": aims,
        });
        std::fs::write(disk::folder()?.join(format!("{name}.json")), format!("{all:#}\n"))?;
        println!("All figures: target/bench/{name}.json");
        Ok(())
    }
}
