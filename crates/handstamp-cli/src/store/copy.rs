//! `handstamp store copy`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use handstamp_core::KeyRing;
use handstamp_core::transfer::{Part, Portable, Report, Standing, Transfer, TransferError};
use handstamp_server::settings::StoreAddress;
use serde_json::json;

use super::side::{Hold, address, content, roll_up, verify};
use crate::failure::{Exit, Failure};
use crate::{output, settings};

/// Passes while the service runs: the first takes everything, and each further one only what has
/// changed meanwhile.
const PASSES: usize = 5;

/// What is left to the last pass when so few rows have changed in the one before.
const FEW: u64 = 500;

/// From where to where, and how far.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The store to copy: sqlite:///folder or postgres://user@host/name
    #[arg(value_name = "FROM", value_parser = address)]
    from: StoreAddress,

    /// The store to fill, which must be new and empty, or the unfinished copy
    #[arg(value_name = "TO", value_parser = address)]
    to: StoreAddress,

    /// The service is stopped: copy the rest, compare everything, leave FROM for good, open TO
    #[arg(long, conflicts_with_all = ["check", "give_up"])]
    finish: bool,

    /// Copy nothing, and say what differs
    #[arg(long, conflicts_with = "give_up")]
    check: bool,

    /// Have FROM served from again, after a --finish that did not come to its end
    #[arg(long)]
    give_up: bool,

    /// TO is gone for good: give up without looking at it
    #[arg(long, requires = "give_up")]
    to_is_lost: bool,

    /// Key ring by which to verify the audit log of TO once it is finished
    #[arg(long, value_name = "FILE", requires = "finish")]
    keys: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &Options) -> Result<(), Failure> {
    let ring = options.keys.as_ref().map(KeyRing::open).transpose();
    let ring = ring.map_err(|error| settings::no_ring(&error))?;
    let Options { from, to, .. } = options;
    if options.finish {
        settle(from).await?;
        let (from, filled) = (content(from, Hold::Leave).await?, content(to, Hold::Fill).await?);
        let report = transfer(&*from, &*filled).finish().await.map_err(|error| failed(&error))?;
        drop(filled);
        return finished(options, report, ring).await;
    }
    if options.give_up {
        let from = content(from, Hold::Leave).await?;
        if options.to_is_lost {
            Transfer::go_back(&*from).await.map_err(|error| failed(&error))?;
            return output::line("FROM is served from again; who signed out on TO is signed in");
        }
        let to = content(to, Hold::Fill).await?;
        transfer(&*from, &*to).give_up().await.map_err(|error| failed(&error))?;
        return output::line("FROM is served from again; TO stays an unfinished copy");
    }
    let from = content(from, Hold::Look).await?;
    if options.check {
        let to = content(to, Hold::Look).await?;
        let report = transfer(&*from, &*to).check().await.map_err(|error| failed(&error))?;
        return checked(options, &report);
    }
    let to = content(to, Hold::Fill).await?;
    let report = live(&*from, &*to).await?;
    if options.json {
        return output::json(&told(&report, false));
    }
    output::line(&format!(
        "{} rows are there, {} of them written by the last pass; run it again to catch up, or stop \
         the service and run it with --finish",
        report.rows(),
        report.changed()
    ))
}

fn transfer<'a>(from: &'a dyn Portable, to: &'a dyn Portable) -> Transfer<'a> {
    Transfer::new(from, to, &progress)
}

/// Figures go along whole: all events are added up before the source is left.
async fn settle(from: &StoreAddress) -> Result<(), Failure> {
    let look = content(from, Hold::Look).await?;
    let standing = look.standing().await.map_err(|error| failed(&error))?;
    drop(look);
    if matches!(standing, Standing::Left(_)) { Ok(()) } else { roll_up(from).await }
}

async fn live(from: &dyn Portable, to: &dyn Portable) -> Result<Report, Failure> {
    let mut report = Report::default();
    for _ in 0..PASSES {
        report = transfer(from, to).live().await.map_err(|error| failed(&error))?;
        if report.changed() <= FEW {
            break;
        }
    }
    Ok(report)
}

async fn finished(
    options: &Options,
    report: Option<Report>,
    ring: Option<KeyRing>,
) -> Result<(), Failure> {
    match report {
        None => output::line("this copy was finished before, and TO is open")?,
        Some(report) if options.json => output::json(&told(&report, true))?,
        Some(report) => {
            table(&report)?;
            output::line("everything is as it was in FROM, which is left for good; start on TO")?;
        }
    }
    let Some(ring) = ring else { return Ok(()) };
    let check = verify(&options.to, ring).await?;
    match check.first_bad {
        None if options.json => Ok(()),
        None => output::line(&format!("{} lines of the audit log verify", check.checked)),
        Some(bad) => Err(Failure::new(format!("the audit log of TO does not verify: {bad:?}"))),
    }
}

fn checked(options: &Options, report: &Report) -> Result<(), Failure> {
    if options.json {
        output::json(&told(report, true))?
    } else {
        table(report)?
    }
    match report.parts.iter().find_map(|part| part.first.as_ref()) {
        None => Ok(()),
        Some(first) => {
            let count = report.changed();
            Err(Failure::new(format!("{count} rows differ, the first of them {first}")))
        }
    }
}

fn table(report: &Report) -> Result<(), Failure> {
    let mut table = output::Table::new(["table", "rows", "written", "removed", "sha256"]);
    for part in &report.parts {
        let counts = [part.rows, part.written, part.removed].map(|count| count.to_string());
        let [rows, written, removed] = counts;
        table.row([part.name.into(), rows, written, removed, digest(part)[..16].into()]);
    }
    table.print()
}

fn digest(part: &Part) -> String {
    part.digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn told(report: &Report, is_compared: bool) -> serde_json::Value {
    let parts = report.parts.iter().map(|part| {
        let mut told = json!({
            "table": part.name,
            "rows": part.rows,
            "written": part.written,
            "removed": part.removed,
        });
        if is_compared {
            told["sha256"] = digest(part).into();
        }
        told
    });
    json!({ "tables": parts.collect::<Vec<_>>() })
}

/// On a terminal, one line that is written over.
fn progress(part: &Part) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let Part { name, rows, written, .. } = part;
        let _ = write!(err, "\r\x1b[K{name}: {rows} rows, {written} written\r");
        let _ = err.flush();
    }
}

fn failed(error: &TransferError) -> Failure {
    let failure = Failure::because("cannot copy", error);
    match error {
        TransferError::NotPermitted(_)
        | TransferError::NotEmpty
        | TransferError::NotFilling
        | TransferError::Unfinished
        | TransferError::Left
        | TransferError::InUse(_) => failure.with(Exit::Refused),
        _ => failure,
    }
}
