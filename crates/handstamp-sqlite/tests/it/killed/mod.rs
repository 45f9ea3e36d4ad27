//! A program that is killed at any moment: nothing acknowledged is lost, nothing ended lives, and
//! the log tells exactly what happened.
//!
//! The program is this test binary, started again with [`PLACE`] set, so that only
//! [`the_program_that_is_killed`] does anything. It writes to its standard output what was
//! acknowledged, after it was. SIGKILL spares what the system has in its page cache; that the sync
//! comes before the answer is shown by [`crate::synced`].

pub(crate) mod child;
mod ledger;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use handstamp_core::random::Rng;
use handstamp_core::testing::SeededRng;

use crate::killed::child::PLACE;
use crate::killed::ledger::Ledger;

/// How often one database is killed before there is a fresh one.
const KILLS_OF_ONE: u32 = 20;

/// What the program does; nothing unless it was started as such.
#[test]
fn the_program_that_is_killed() {
    if let Some(place) = std::env::var_os(PLACE) {
        child::run(place.as_ref());
    }
}

/// The command that starts this binary as the program under test.
pub(crate) fn program(place: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    as_program(&mut command, place);
    command
}

/// Makes of a command that runs this binary one that runs the program.
pub(crate) fn as_program(command: &mut Command, place: &std::path::Path) {
    command.args(["--exact", "killed::the_program_that_is_killed", "--nocapture"]);
    command.env(PLACE, place).stdin(Stdio::null()).stdout(Stdio::piped());
}

/// How many kills: 200, or 1,000 in a long run.
fn kills() -> u32 {
    if std::env::var_os("HANDSTAMP_LONG").is_some() { 1000 } else { 200 }
}

#[test]
fn what_was_acknowledged_survives_sigkill_at_any_moment() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let (rng, begun, mut acknowledged) = (SeededRng::new(seed), Instant::now(), 0);
    for _ in 0..kills() / KILLS_OF_ONE {
        let place = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::default();
        for _ in 0..KILLS_OF_ONE {
            let lines = run_and_kill(place.path(), delay(&rng));
            acknowledged += lines.len();
            lines.iter().for_each(|line| ledger.take(line));
            crate::fixture::block_on(ledger.agrees(place.path()));
        }
    }
    println!("{} kills, {acknowledged} acknowledged, in {:?}", kills(), begun.elapsed());
    assert!(acknowledged > kills() as usize, "the program hardly did anything");
}

fn delay(rng: &dyn Rng) -> Duration {
    let mut bytes = [0; 1];
    rng.fill(&mut bytes).unwrap();
    // Most are killed at work, some while they open the database.
    Duration::from_micros(u64::from(bytes[0]) * 300)
}

/// Runs the program for `delay` and kills it; answers what it said was acknowledged.
fn run_and_kill(place: &std::path::Path, delay: Duration) -> Vec<String> {
    let mut child = program(place).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || acknowledged(output));
    kill_after(&mut child, delay);
    reader.join().unwrap()
}

fn kill_after(child: &mut Child, delay: Duration) {
    std::thread::sleep(delay);
    // By its handle: no other process can be meant.
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The lines that are whole.
fn acknowledged(mut output: impl BufRead) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    while output.read_line(&mut line).unwrap_or(0) > 0 {
        if let Some(told) = line.strip_suffix('\n').and_then(|line| line.strip_prefix("ack ")) {
            lines.push(told.to_owned());
        }
        line.clear();
    }
    lines
}
