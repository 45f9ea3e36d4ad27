//! Instructions per request, and blocks hashed per request: valgrind runs a child twice, once for
//! longer, and the difference is what the requests in between took.

use std::collections::HashSet;
use std::process::Command;

use serde::Serialize;

use crate::child::arguments;
use crate::options::{Case, Peer};
use crate::{Fault, disk, spawn};

const SHORT: u64 = 500;
const LONG: u64 = 1500;

/// What one request took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Counted {
    pub(crate) instructions: f64,
    /// Calls of SHA-256's compression: none means no hash and no HMAC.
    pub(crate) hashes: f64,
}

/// Counts with valgrind's callgrind.
pub(crate) fn count(peer: Peer, case: Case) -> Result<Counted, Fault> {
    let (short, long) = (run(peer, case, SHORT)?, run(peer, case, LONG)?);
    let requests = (LONG - SHORT) as f64;
    Ok(Counted {
        instructions: (long.instructions - short.instructions) / requests,
        hashes: (long.hashes - short.hashes) / requests,
    })
}

fn run(peer: Peer, case: Case, requests: u64) -> Result<Counted, Fault> {
    let folder = disk::scratch()?;
    let out = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        .arg(spawn::itself()?)
        .args(arguments(peer, case, 1))
        .args(["--count", &requests.to_string()])
        .output()
        .map_err(|error| format!("valgrind is needed for --instructions: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(read(&std::fs::read_to_string(out)?))
}

/// Reads what callgrind wrote: the sum of all instructions, and how often a function was called
/// whose name speaks of SHA-256's compression.
fn read(profile: &str) -> Counted {
    let mut hashing = HashSet::new();
    let (mut instructions, mut hashes, mut is_hash) = (0.0, 0.0, false);
    for line in profile.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            instructions = number(total);
        } else if let Some(callee) = line.strip_prefix("cfn=") {
            is_hash = is_compression(callee, &mut hashing);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            hashes += if is_hash { number(calls) } else { 0.0 };
        } else if let Some(function) = line.strip_prefix("fn=") {
            is_compression(function, &mut hashing);
        }
    }
    Counted { instructions, hashes }
}

/// Whether a function compresses. Its name stands with its number once, then the number alone.
fn is_compression<'a>(function: &'a str, known: &mut HashSet<&'a str>) -> bool {
    let (number, name) = function.split_once(' ').unwrap_or((function, ""));
    if name.contains("sha256") && (name.contains("compress") || name.contains("digest_blocks")) {
        known.insert(number);
    }
    known.contains(number)
}

fn number(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_compression_are_added_up_by_number_after_the_first_name() {
        let profile = "fn=(1) main\n\
            cfn=(2) sha2::sha256::compress256\ncalls=3 10\n5 7\n\
            cfn=(3) other\ncalls=9 10\n5 7\n\
            fn=(2)\n1 1\nfn=(4) again\ncfn=(2)\ncalls=4 10\n5 7\n\
            totals: 1234\n";
        assert_eq!(read(profile), Counted { instructions: 1234.0, hashes: 7.0 });
    }
}
