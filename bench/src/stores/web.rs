//! The same over HTTP, where a peer in another language can stand beside us.

use std::fmt;
use std::path::Path;
use std::process::Command;

use http::HeaderMap;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::options::Who;
use super::rounds::Bench;
use crate::options::name;
use crate::service::http::{Connection, cookies, good};
use crate::service::install;
use crate::service::process::{Place, Process, free_port};
use crate::service::wrk::Load;
use crate::statistics::median;
use crate::{Fault, spawn};

/// Who serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Server {
    PassThrough,
    Handstamp,
    TowerSessions,
    Express,
}

/// What wrk asks for.
const PATHS: [&str; 2] = ["/read", "/write"];

/// Sessions that take turns: more than there are connections, so that two requests at once are
/// hardly ever of one session.
const HOLDERS: usize = 256;

/// One server and one path, in each round.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) server: Server,
    pub(crate) path: &'static str,
    rounds: Vec<Figures>,
}

/// What one wrk saw, and what server and database took; times in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) cpu: f64,
    pub(crate) database: f64,
    pub(crate) p99: f64,
}

impl Row {
    /// The median of something.
    pub(crate) fn median(&self, of: fn(&Figures) -> f64) -> f64 {
        median(&self.rounds.iter().map(of).collect::<Vec<_>>())
    }
}

/// Measures all of them, round by round.
pub(crate) fn measure(
    bench: &Bench<'_>,
    runtime: &Runtime,
    scratch: &Path,
) -> Result<Vec<Row>, Fault> {
    let mut servers = vec![Server::PassThrough, Server::Handstamp, Server::TowerSessions];
    if !bench.options.no_express {
        install::packages(Server::FOLDER)?;
        servers.push(Server::Express);
    }
    let pairs = servers.iter().flat_map(|server| PATHS.map(|path| (*server, path)));
    let mut rows: Vec<_> =
        pairs.map(|(server, path)| Row { server, path, rounds: Vec::new() }).collect();
    for _ in 0..bench.options.rounds() {
        for of_server in rows.chunks_mut(PATHS.len()) {
            runtime.block_on(of_one(bench, of_server, scratch))?;
        }
    }
    Ok(rows)
}

async fn of_one(bench: &Bench<'_>, rows: &mut [Row], scratch: &Path) -> Result<(), Fault> {
    let Some(server) = rows.first().map(|row| row.server) else { return Ok(()) };
    let (url, port) = (bench.database()?, free_port()?);
    let mut process =
        Process::start(&server.command(&url, port)?, Place::Measured, &scratch.join("server.log"))?;
    process.listens(port).await?;
    let mut connection = Connection::open(port).await?;
    let mut holders = Vec::new();
    for client in 0..HOLDERS {
        let begun = connection.get(&format!("/begin/{client}"), HeaderMap::new()).await?;
        good(&begun)?;
        holders.push(cookies(begun.headers())?);
    }
    for row in rows {
        // A router without sessions knows one case only.
        let path = if server == Server::PassThrough { "/untouched" } else { row.path };
        let load = Load::get_as(port, path, &holders)?;
        load.run(bench.options.span() / 4, scratch)?;
        let before = (process.cpu(), bench.postgres.process().cpu());
        let ran = load.run(bench.options.span(), scratch)?;
        let each = |after: std::time::Duration, before| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / ran.requests.max(1) as f64
        };
        row.rounds.push(Figures {
            per_second: ran.requests as f64 * 1e6 / ran.micros,
            cpu: each(process.cpu(), before.0),
            database: each(bench.postgres.process().cpu(), before.1),
            p99: ran.p99,
        });
    }
    Ok(())
}

impl Server {
    /// The folder of the peer in another language.
    const FOLDER: &'static str = "express-session-postgres";

    fn command(self, url: &str, port: u16) -> Result<Command, Fault> {
        let who = match self {
            Self::PassThrough => Who::PassThrough,
            Self::Handstamp => Who::Handstamp,
            Self::TowerSessions => Who::TowerSessions,
            Self::Express => return express(url, port),
        };
        let mut command = Command::new(spawn::itself()?);
        command.args(["serve", "--who", &name(&who), "--url", url, "--port", &port.to_string()]);
        Ok(command)
    }
}

fn express(url: &str, port: u16) -> Result<Command, Fault> {
    let mut command = Command::new("node");
    command.arg("server.mjs").current_dir(install::packages(Server::FOLDER)?);
    command.env("NODE_ENV", "production").env("DATABASE_URL", url).env("PORT", port.to_string());
    Ok(command)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PassThrough => "pass-through layer",
            Self::Handstamp => "Handstamp",
            Self::TowerSessions => "tower-sessions",
            Self::Express => "express-session, connect-pg-simple",
        })
    }
}
