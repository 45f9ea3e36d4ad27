//! Many sessions: what they weigh, and what a list of one person's costs among them.

use std::cell::RefCell;
use std::path::Path;

use serde::Serialize;

use super::handstamp::{MY_SESSIONS, Service, get};
use super::http::{each, good};
use super::options::Options;
use super::peers::bearer;
use super::sample::Sample;
use crate::Fault;

/// So few are few sessions.
const FEW: u64 = 1_000;

/// Sessions of one person.
const OF_ONE: u64 = 5;

/// People whose lists are asked for, evenly among all.
const ASKING: u64 = 100;

/// Lists in one measurement.
const LISTS: u64 = 10_000;

/// What one service has told.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Among {
    pub(crate) sessions: u64,
    /// Memory of the process once all have begun.
    pub(crate) resident_bytes: u64,
    /// Of its data folder.
    pub(crate) bytes_on_disk: u64,
    pub(crate) begun_per_second: f64,
    /// A list of one person's sessions.
    pub(crate) list: Sample,
}

/// Few and many.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Many {
    pub(crate) few: Among,
    pub(crate) many: Among,
}

/// Measures both, each in a service of its own.
pub(crate) async fn measure(program: &Path, options: &Options) -> Result<Many, Fault> {
    let few = among(program, FEW).await?;
    let many = among(program, options.many()).await?;
    Ok(Many { few, many })
}

async fn among(program: &Path, count: u64) -> Result<Among, Fault> {
    let service = Service::start(program).await?;
    let people = (count / OF_ONE).max(1);
    let step = (people / ASKING).max(1);
    let lists = RefCell::new(Vec::new());
    let begun = each(service.port, 256, count, async |connection, number| {
        let person = number % people;
        let tokens = service.with_tokens(connection, &format!("person-{person}")).await?;
        if number < people && person.is_multiple_of(step) {
            lists.borrow_mut().push(get(MY_SESSIONS, &bearer(&tokens.access)?)?);
        }
        Ok(())
    })
    .await?;
    eprintln!("  {count} sessions have begun ({:.0} s)", begun.span.as_secs_f64());
    let resident_bytes = service.process.resident_bytes();
    let lists = lists.into_inner();
    let ask = async || {
        Sample::of_each(&service, 8, LISTS, async |connection, number| {
            let at = usize::try_from(number)? % lists.len();
            good(&connection.send(lists[at].clone()).await?)
        })
        .await
    };
    ask().await?;
    Ok(Among {
        sessions: count,
        resident_bytes,
        bytes_on_disk: crate::disk::bytes_in(&service.folder.path().join("data"))?,
        begun_per_second: count as f64 / begun.span.as_secs_f64(),
        list: ask().await?,
    })
}
