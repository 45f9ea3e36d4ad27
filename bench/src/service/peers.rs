//! Each peer: how it is started, how somebody signs in, and what a check is.

use std::fmt;
use std::path::Path;
use std::process::Command;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::json;

use super::databases::Databases;
use super::http::{Connection, cookies, good, json};
use super::install::install;
use super::options::Project;
use super::process::{Place, Process, free_port};
use crate::Fault;

/// A project, in one of the ways in which it is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Peer {
    ExpressSession,
    BetterAuthCached,
    BetterAuth,
    DjangoCached,
    Django,
    Fastapi,
}

impl Peer {
    /// The ways in which a project is measured.
    pub(crate) const fn of(project: Project) -> &'static [Self] {
        match project {
            Project::ExpressSession => &[Self::ExpressSession],
            Project::BetterAuth => &[Self::BetterAuthCached, Self::BetterAuth],
            Project::Django => &[Self::DjangoCached, Self::Django],
            Project::Fastapi => &[Self::Fastapi],
        }
    }

    const fn project(self) -> Project {
        match self {
            Self::ExpressSession => Project::ExpressSession,
            Self::BetterAuthCached | Self::BetterAuth => Project::BetterAuth,
            Self::DjangoCached | Self::Django => Project::Django,
            Self::Fastapi => Project::Fastapi,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::BetterAuthCached | Self::BetterAuth => "/api/auth/get-session",
            _ => "/status",
        }
    }

    /// Starts it on empty databases and signs somebody in.
    pub(crate) async fn start(
        self,
        databases: &Databases,
        scratch: &Path,
    ) -> Result<Served, Fault> {
        let folder = install(self.project())?;
        let port = free_port()?;
        // A name that no other start of this run has.
        let name = format!("peer{port}");
        databases.create(&name)?;
        let mut command = self.command(&folder, port);
        command.current_dir(&folder).env("PORT", port.to_string());
        command.env("HOME", scratch).env("REDIS_URL", databases.redis_url());
        self.environment(&mut command, databases.postgres_port(), scratch, &name);
        let log = scratch.join(format!("{name}.log"));
        let mut process = Process::start(&command, Place::Measured, &log)?;
        let ready = process.ready(port, "/ready").await;
        ready.map_err(|error| format!("{self}: {error}\n{}", last_lines(&log)))?;
        let headers = self.sign_in(&mut Connection::open(port).await?, port).await?;
        Ok(Served { process, port, path: self.path(), headers })
    }

    fn command(self, folder: &Path, port: u16) -> Command {
        let program = |path: &str| Command::new(folder.join(path));
        let port = port.to_string();
        match self.project() {
            Project::ExpressSession | Project::BetterAuth => {
                let mut command = Command::new("node");
                command.arg("server.mjs").env("NODE_ENV", "production");
                command
            }
            Project::Django => {
                let mut command = program("venv/bin/gunicorn");
                command.args(["--bind", &format!("127.0.0.1:{port}"), "--workers", "1"]);
                command.args(["--threads", "4", "--log-level", "warning", "app"]);
                command
            }
            Project::Fastapi => {
                let mut command = program("venv/bin/uvicorn");
                command.args(["--host", "127.0.0.1", "--port", &port, "--no-access-log"]);
                command.args(["--log-level", "warning", "app:app"]);
                command
            }
        }
    }

    /// Where its sessions are; SQLite where PostgreSQL is not installed.
    fn environment(self, command: &mut Command, postgres: Option<u16>, scratch: &Path, name: &str) {
        let file = scratch.join(format!("{name}.sqlite")).display().to_string();
        match self {
            Self::ExpressSession => {}
            Self::BetterAuthCached => {
                command.env("DATABASE", file).env("COOKIE_CACHE", "on");
            }
            Self::BetterAuth => {
                command.env("DATABASE", file).env("COOKIE_CACHE", "off");
            }
            Self::DjangoCached | Self::Django => {
                let engine = if self == Self::Django { "db" } else { "cached_db" };
                let server = postgres.map(|port| format!("127.0.0.1:{port}:bench:{name}"));
                command.env("SESSION_ENGINE", engine).env("DATABASE", server.unwrap_or(file));
            }
            Self::Fastapi => {
                let server = |port| format!("postgresql+asyncpg://bench@127.0.0.1:{port}/{name}");
                let url = postgres.map_or(format!("sqlite+aiosqlite:///{file}"), server);
                command.env("DATABASE_URL", url);
            }
        }
    }

    /// The headers of a request of somebody who has signed in.
    async fn sign_in(self, connection: &mut Connection, port: u16) -> Result<HeaderMap, Fault> {
        let none = HeaderMap::new();
        let answer = match self {
            Self::BetterAuthCached | Self::BetterAuth => {
                let origin = HeaderValue::from_str(&format!("http://127.0.0.1:{port}"))?;
                let body = json!({
                    "name": "Ada Lovelace", "email": "ada@example.com",
                    "password": "a password for measurements only",
                });
                let headers = one(header::ORIGIN, origin);
                connection.post("/api/auth/sign-up/email", headers, &body).await?
            }
            _ => connection.post("/sign-in", none, &json!({})).await?,
        };
        if self == Self::Fastapi {
            let token = json(&answer)?["access_token"].as_str().unwrap_or_default().to_owned();
            return bearer(&token);
        }
        good(&answer)?;
        Ok(one(header::COOKIE, cookies(answer.headers())?))
    }
}

/// A header alone.
pub(crate) fn one(name: HeaderName, value: HeaderValue) -> HeaderMap {
    HeaderMap::from_iter([(name, value)])
}

/// The header of somebody with a token.
pub(crate) fn bearer(token: &str) -> Result<HeaderMap, Fault> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"))?;
    Ok(one(header::AUTHORIZATION, value))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// A peer that runs, with somebody signed in.
pub(crate) struct Served {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    pub(crate) headers: HeaderMap,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ExpressSession => "express-session, Redis",
            Self::BetterAuthCached => "better-auth, SQLite, cookie cache",
            Self::BetterAuth => "better-auth, SQLite",
            Self::DjangoCached => "Django cached_db",
            Self::Django => "Django db",
            Self::Fastapi => "FastAPI design",
        })
    }
}
