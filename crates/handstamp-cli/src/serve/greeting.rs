//! What `handstamp serve` prints when it is ready.

use std::fmt::Write;

use super::opening::Opened;
use crate::failure::Failure;
use crate::output;

/// Prints address, places and how to stop: in one piece, so that who waits for the address has the
/// rest too.
pub(super) fn print(opened: &Opened) -> Result<(), Failure> {
    output::print(text(opened).as_bytes())
}

fn text(opened: &Opened) -> String {
    let mut text = format!("Handstamp serves at {}\n\n", opened.url);
    let keys =
        opened.keys.as_ref().map_or_else(|| "keys.ring".into(), |path| path.display().to_string());
    let lines = [
        ("Dashboard", format!("{}  (good once, for ten minutes)", opened.dashboard)),
        ("API", format!("{}/openapi.json", opened.url)),
        ("Data", opened.data.clone()),
        ("Keys", keys),
        ("Settings", "handstamp config".into()),
        ("Stop", "Ctrl-C".into()),
    ];
    for (name, value) in lines {
        // A String takes everything.
        let _ = writeln!(text, "  {name:<11}{value}");
    }
    text
}
