//! The sync comes before the answer, as the system saw it: SIGKILL spares the page cache, a power
//! failure does not.
//!
//! Runs the program of [`crate::killed`] under `strace` and reads the trace: between two lines
//! that acknowledge, the log of SQLite was written, and synced after its last write.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::killed::as_program;
use crate::killed::child::{CLIENTS, ROUNDS};

/// What a line of the trace tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    /// The write-ahead log was written.
    Written,
    /// It was synced, and the sync is done.
    Synced,
    /// The program began to say that something is acknowledged.
    Acknowledged,
}

/// Reads a trace of `strace -f -y`, in which a call that another thread interrupts has two lines.
fn read_trace(trace: &str) -> Vec<Seen> {
    let mut interrupted: HashMap<&str, bool> = HashMap::new();
    let mut seen = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
        let call = call.trim_start();
        let is_sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        let is_log = call.contains("sessions.db-wal>");
        let is_done = call.ends_with("= 0");
        if call.starts_with("pwrite64(") && is_log {
            seen.push(Seen::Written);
        } else if is_sync && is_log && is_done {
            seen.push(Seen::Synced);
        } else if is_sync && call.contains("<unfinished") {
            interrupted.insert(thread, is_log);
        } else if call.contains("sync resumed>") {
            if interrupted.remove(thread) == Some(true) && is_done {
                seen.push(Seen::Synced);
            }
        } else if call.starts_with("write(1<") && call.contains("\"ack ") {
            seen.push(Seen::Acknowledged);
        }
    }
    seen
}

/// How many acknowledgements there are, each of a change that was written and synced before.
///
/// # Panics
/// Where one was not.
fn assert_synced_first(seen: &[Seen]) -> usize {
    let (mut count, mut is_written, mut is_synced) = (0, false, false);
    for (place, what) in seen.iter().enumerate() {
        match what {
            Seen::Written => (is_written, is_synced) = (true, false),
            Seen::Synced => is_synced = true,
            Seen::Acknowledged => {
                assert!(is_written, "line {place} acknowledges what was not written");
                assert!(is_synced, "line {place} acknowledges what was not synced");
                (is_written, is_synced, count) = (false, false, count + 1);
            }
        }
    }
    count
}

fn traced(place: &Path) -> String {
    let trace = place.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=fsync,fdatasync,pwrite64,write", "-o"]).arg(&trace);
    strace.arg(std::env::current_exe().unwrap());
    as_program(&mut strace, place);
    // One client, so that each acknowledgement is of the change before it.
    strace.env(CLIENTS, "1").env(ROUNDS, "10");
    let ran = strace.output().expect("strace is needed: apt-get install strace");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "strace must be allowed to trace here: {stderr}");
    std::fs::read_to_string(trace).unwrap()
}

#[test]
fn the_log_is_synced_before_anything_is_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let count = assert_synced_first(&read_trace(&traced(place.path())));
    // Ten rounds: a sign-in and three updates each, five sign-outs, two ends of all.
    assert_eq!(count, 47);
}

#[test]
#[should_panic(expected = "acknowledges what was not synced")]
fn an_acknowledgement_before_the_sync_is_seen() {
    let trace = "11 pwrite64(7</x/sessions.db-wal>, \"\"..., 24, 0) = 24\n\
                 11 fdatasync(7</x/sessions.db-wal> <unfinished ...>\n\
                 12 write(1<pipe:[5]>, \"ack begun\\n\", 10) = 10\n\
                 11 <... fdatasync resumed>) = 0\n";
    assert_synced_first(&read_trace(trace));
}

#[test]
#[should_panic(expected = "acknowledges what was not synced")]
fn a_sync_of_another_file_or_one_that_failed_does_not_count() {
    let trace = "11 pwrite64(7</x/sessions.db-wal>, \"\"..., 24, 0) = 24\n\
                 11 fdatasync(6</x/sessions.db>) = 0\n\
                 11 fdatasync(7</x/sessions.db-wal>) = -1 EIO (Input/output error)\n\
                 12 write(1<pipe:[5]>, \"ack begun\\n\", 10) = 10\n";
    assert_synced_first(&read_trace(trace));
}
