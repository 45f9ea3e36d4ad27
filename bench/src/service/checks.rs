//! One session check: ours, a bare handler that gives the same answer, and peers.

use std::path::{Path, PathBuf};
use std::process::Command;

use http::HeaderMap;
use serde::Serialize;

use super::answer::Stored;
use super::databases::Databases;
use super::handstamp::{self, STATUS, Service, VERIFY};
use super::http::{Connection, each, good};
use super::options::Options;
use super::peers::{Peer, bearer};
use super::process::{Place, Process, free_port};
use super::sample::Sample;
use super::wrk::Load;
use crate::statistics::median;
use crate::{Fault, disk, spawn};

/// One row of the table: who, and each round.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Whether the bare handler beside it gives the same answer; else it is that of the first row.
    pub(crate) is_ours: bool,
    /// The bare handler and the row's own server, one after the other, in each round.
    pub(crate) pairs: Vec<(Sample, Sample)>,
}

impl Row {
    /// The median of something of this row.
    pub(crate) fn own(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(&self.pairs.iter().map(|(_, own)| of(own)).collect::<Vec<_>>())
    }

    /// The median of the bare handler beside it.
    pub(crate) fn bare(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(&self.pairs.iter().map(|(bare, _)| of(bare)).collect::<Vec<_>>())
    }

    /// How many times as much as the bare handler, round by round.
    pub(crate) fn times(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(&self.pairs.iter().map(|(bare, own)| of(own) / of(bare)).collect::<Vec<_>>())
    }
}

/// Everything about checks.
#[derive(Debug, Serialize)]
pub(crate) struct Checks {
    pub(crate) rows: Vec<Row>,
    /// Status by access tokens of which each is presented once.
    pub(crate) never_seen: Vec<Sample>,
}

/// Our cases: what is asked, and with which credential.
const CASES: [(&str, &str, bool); 4] = [
    ("status, cookie", STATUS, false),
    ("status, JWT seen before", STATUS, true),
    ("verify, cookie", VERIFY, false),
    ("verify, JWT seen before", VERIFY, true),
];

/// Measures all of them, round by round.
pub(crate) async fn measure(program: &Path, options: &Options) -> Result<Checks, Fault> {
    let projects = options.projects();
    let peers: Vec<Peer> = projects.iter().flat_map(|it| Peer::of(*it)).copied().collect();
    let scratch = disk::scratch()?;
    let databases = Databases::start(&projects, &scratch.path().join("databases.log")).await?;
    let mut checks = Checks { rows: rows(&peers, &databases), never_seen: Vec::new() };
    let (ours, theirs) = (0..CASES.len(), CASES.len()..checks.rows.len());
    for round in 0..options.rounds() {
        eprintln!("  round {} of {}", round + 1, options.rounds());
        let service = Service::start(program).await?;
        for at in ours.clone() {
            let pair = ours_and_bare(&service, CASES[at], options).await?;
            checks.rows[at].pairs.push(pair);
        }
        checks.never_seen.push(never_seen(&service, options).await?);
        drop(service);
        for (at, peer) in theirs.clone().zip(&peers) {
            let sample = theirs_alone(*peer, &databases, options, scratch.path()).await?;
            // Peers answer bytes of their own: they stand beside the handler of the first case.
            let bare = checks.rows[0].pairs[round].0;
            checks.rows[at].pairs.push((bare, sample));
        }
    }
    Ok(checks)
}

fn rows(peers: &[Peer], databases: &Databases) -> Vec<Row> {
    let ours = CASES.iter().map(|(name, ..)| (format!("Handstamp, {name}"), true));
    let sql = if databases.postgres_port().is_some() { "PostgreSQL" } else { "SQLite" };
    let theirs = peers.iter().map(|peer| match peer {
        Peer::DjangoCached => (format!("{peer}, {sql} and Redis"), false),
        Peer::Django | Peer::Fastapi => (format!("{peer}, {sql}"), false),
        _ => (peer.to_string(), false),
    });
    ours.chain(theirs).map(|(name, is_ours)| Row { name, is_ours, pairs: Vec::new() }).collect()
}

async fn ours_and_bare(
    service: &Service,
    (name, path, is_token): (&str, &str, bool),
    options: &Options,
) -> Result<(Sample, Sample), Fault> {
    let mut connection = Connection::open(service.port).await?;
    let headers = if is_token {
        bearer(&service.with_tokens(&mut connection, name).await?.access)?
    } else {
        service.with_cookie(&mut connection, name).await?
    };
    let headers = handstamp::as_asked(path, headers);
    let answer = connection.get(path, headers.clone()).await?;
    good(&answer)?;
    let scratch = service.folder.path();
    let (file, port) = (scratch.join("answer.json"), free_port()?);
    Stored::new(path, &answer)?.write(&file)?;
    let bare = bare(&file, port, scratch).await?;
    let asked = |port| Asked { port, path, headers: &headers, options, scratch };
    let bare = asked(port).of(&bare, None)?;
    Ok((bare, asked(service.port).of(&service.process, None)?))
}

/// Starts the bare handler.
async fn bare(file: &Path, port: u16, scratch: &Path) -> Result<Process, Fault> {
    let program: PathBuf = spawn::itself()?;
    let mut command = Command::new(program);
    command.arg("answer").arg(file).arg(port.to_string());
    let mut process = Process::start(&command, Place::Measured, &scratch.join("bare.log"))?;
    process.ready(port, "/healthz").await?;
    Ok(process)
}

async fn theirs_alone(
    peer: Peer,
    databases: &Databases,
    options: &Options,
    scratch: &Path,
) -> Result<Sample, Fault> {
    let served = peer.start(databases, scratch).await?;
    let mut connection = Connection::open(served.port).await?;
    good(&connection.get(served.path, served.headers.clone()).await?)?;
    let (port, path, headers) = (served.port, served.path, &served.headers);
    let asked = Asked { port, path, headers, options, scratch };
    asked.of(&served.process, Some(databases)).map_err(|error| format!("{peer}: {error}").into())
}

/// A request that is sent as fast as it is answered.
struct Asked<'a> {
    port: u16,
    path: &'a str,
    headers: &'a HeaderMap,
    options: &'a Options,
    scratch: &'a Path,
}

impl Asked<'_> {
    /// Warms the server up for a quarter of the time, then measures it.
    fn of(&self, server: &Process, databases: Option<&Databases>) -> Result<Sample, Fault> {
        let load = Load::get(self.port, self.path, self.headers)?;
        load.run(self.options.span() / 4, self.scratch)?;
        let cpu_of_databases = || databases.map(Databases::cpu).unwrap_or_default();
        let before = (server.cpu(), cpu_of_databases());
        let ran = load.run(self.options.span(), self.scratch)?;
        let cpu = server.cpu().saturating_sub(before.0);
        let database = cpu_of_databases().saturating_sub(before.1);
        Sample::of_wrk(&ran, cpu, database)
    }
}

/// Every session is refreshed first, so that each has an access token that nobody has presented.
async fn never_seen(service: &Service, options: &Options) -> Result<Sample, Fault> {
    let count = if options.quick { 500 } else { 20_000 };
    let fresh = std::cell::RefCell::new(Vec::new());
    each(service.port, 64, count, async |connection, number| {
        let begun = service.with_tokens(connection, &format!("fresh-{number}")).await?;
        let refreshed = handstamp::refresh(connection, &begun.refresh).await?;
        fresh.borrow_mut().push(handstamp::get(STATUS, &bearer(&refreshed.access)?)?);
        Ok(())
    })
    .await?;
    let fresh = fresh.into_inner();
    Sample::of_each(service, 32, count, async |connection, number| {
        let request = fresh.get(usize::try_from(number)?).ok_or("a token is missing")?;
        good(&connection.send(request.clone()).await?)
    })
    .await
}
