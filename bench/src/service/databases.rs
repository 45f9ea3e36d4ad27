//! The databases of peers: Debian's Redis, and PostgreSQL where it is installed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::options::Project;
use super::process::{Place, Process, free_port};
use crate::Fault;
use crate::postgres::Postgres;

/// What runs beside the peers.
#[derive(Default)]
pub(crate) struct Databases {
    redis: Option<Redis>,
    postgres: Option<Postgres>,
}

struct Redis {
    process: Process,
    port: u16,
}

impl Databases {
    /// Starts what these projects need.
    ///
    /// # Errors
    /// Redis is not installed, or one of them does not start.
    pub(crate) async fn start(projects: &[Project], log: &Path) -> Result<Self, Fault> {
        let needs = |wanted: &[Project]| projects.iter().any(|project| wanted.contains(project));
        let mut databases = Self::default();
        if needs(&[Project::ExpressSession, Project::Django]) {
            databases.redis = Some(Redis::start(log).await?);
        }
        if needs(&[Project::Django, Project::Fastapi]) {
            databases.postgres = Postgres::start(Place::Beside, log).await?;
        }
        Ok(databases)
    }

    /// Where Redis is, as its clients take it.
    pub(crate) fn redis_url(&self) -> String {
        let port = self.redis.as_ref().map_or(0, |redis| redis.port);
        format!("redis://127.0.0.1:{port}")
    }

    /// The port of PostgreSQL, if it is there.
    pub(crate) fn postgres_port(&self) -> Option<u16> {
        self.postgres.as_ref().map(Postgres::port)
    }

    /// Makes an empty database of PostgreSQL; does nothing where that is not there.
    pub(crate) fn create(&self, name: &str) -> Result<(), Fault> {
        match &self.postgres {
            Some(postgres) => postgres.create(name),
            None => Ok(()),
        }
    }

    /// Processor time of all of them, so far.
    pub(crate) fn cpu(&self) -> Duration {
        let redis = self.redis.iter().map(|redis| &redis.process);
        let postgres = self.postgres.iter().map(Postgres::process);
        redis.chain(postgres).map(Process::cpu).sum()
    }
}

impl Redis {
    async fn start(log: &Path) -> Result<Self, Fault> {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        // In memory only, which is how sessions are usually kept in it.
        command.args(["--save", "", "--appendonly", "no"]);
        let mut process = Process::start(&command, Place::Beside, log)?;
        process.listens(port).await?;
        Ok(Self { process, port })
    }
}
