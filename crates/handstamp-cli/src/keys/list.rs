//! `handstamp keys list`.

use std::time::{Duration, SystemTime};

use handstamp_core::key::KeyInfo;
use handstamp_core::time::{Clock, SystemClock, Timestamp};
use serde_json::{Value as Json, json};

use crate::failure::Failure;
use crate::output::{self, Table};
use crate::settings::Source;

/// Which ring, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let settings = super::load(&options.source)?;
    let (infos, now) = (super::open(&settings.keys)?.infos(), SystemClock::new().now());
    if options.json {
        let keys: Vec<_> = infos.iter().map(|info| as_json(info, now)).collect();
        return output::json(&json!({ "keys": keys }));
    }
    let mut table = Table::new(["key", "state", "made", "age"]);
    for info in &infos {
        let made = info.made_at.map_or_else(|| "not noted".into(), point);
        let age = info.made_at.map_or_else(String::new, |at| words(now.since(at)));
        table.row([info.id.to_string(), super::word(info.state).into(), made, age]);
    }
    table.print()
}

fn as_json(info: &KeyInfo, now: Timestamp) -> Json {
    json!({
        "id": info.id,
        "state": super::word(info.state),
        "made_at": info.made_at.map(point),
        "age_seconds": info.made_at.map(|at| now.since(at).as_secs()),
    })
}

pub(super) fn point(at: Timestamp) -> String {
    humantime::format_rfc3339_seconds(SystemTime::from(at)).to_string()
}

/// A span in its largest unit.
pub(super) fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("day", 86_400), ("hour", 3600), ("minute", 60)];
    let fitting = units.into_iter().find(|(_, length)| seconds >= *length);
    let (unit, length) = fitting.unwrap_or(("second", 1));
    match seconds / length {
        1 => format!("1 {unit}"),
        many => format!("{many} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        let told = |seconds| words(Duration::from_secs(seconds));
        assert_eq!(
            [told(0), told(1), told(119), told(7200), told(86_400 * 40)],
            ["0 seconds", "1 second", "1 minute", "2 hours", "40 days"]
        );
    }
}
