//! The databases of peers: Debian's Redis, and PostgreSQL where it is installed.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::options::Project;
use super::process::{Place, Process, free_port};
use crate::Fault;

/// Who owns a database here, and what Debian calls the user that may start a server.
const OWNER: &str = "bench";
const DEBIAN: &str = "postgres";

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

struct Postgres {
    process: Process,
    port: u16,
    programs: PathBuf,
    /// Outside of the project, because another user than ours must reach it.
    folder: TempDir,
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
            databases.postgres = Postgres::start(log).await?;
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
        self.postgres.as_ref().map(|postgres| postgres.port)
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
        let postgres = self.postgres.iter().map(|postgres| &postgres.process);
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

impl Postgres {
    /// Nothing where it is not installed, or where nobody but root is there to run it.
    async fn start(log: &Path) -> Result<Option<Self>, Fault> {
        let (Some(programs), Some(owner)) = (programs(), owner()) else { return Ok(None) };
        let port = free_port()?;
        let folder = tempfile::Builder::new().prefix("handstamp-bench-").tempdir()?;
        if let Owner::Other { user, group } = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let data = folder.path().join("data");
        let mut make = owner.command(&programs.join("initdb"));
        make.args(["--username", OWNER, "--auth", "trust", "--no-sync", "--pgdata"]).arg(&data);
        succeed(&mut make)?;
        let mut command = owner.command(&programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        command.args(["-c", "listen_addresses=127.0.0.1", "-p", &port.to_string()]);
        let mut process = Process::start(&command, Place::Beside, log)?;
        process.listens(port).await?;
        let postgres = Self { process, port, programs, folder };
        postgres.until_ready()?;
        Ok(Some(postgres))
    }

    /// It listens before it takes commands.
    fn until_ready(&self) -> Result<(), Fault> {
        let mut command = Command::new(self.programs.join("pg_isready"));
        command.arg("-h").arg(self.folder.path());
        command.args(["-p", &self.port.to_string(), "-U", OWNER, "-t", "30"]);
        for _ in 0..300 {
            if succeed(&mut command).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("PostgreSQL does not take commands".into())
    }

    fn create(&self, name: &str) -> Result<(), Fault> {
        let mut command = Command::new(self.programs.join("createdb"));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", OWNER, name]);
        succeed(&mut command)
    }
}

/// Who may run PostgreSQL, which refuses root.
#[derive(Clone, Copy)]
enum Owner {
    Ourselves,
    Other { user: u32, group: u32 },
}

impl Owner {
    fn command(self, program: &Path) -> Command {
        match self {
            Self::Ourselves => Command::new(program),
            Self::Other { .. } => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", DEBIAN, "--regid", DEBIAN, "--clear-groups", "--"]);
                command.arg(program);
                command
            }
        }
    }
}

fn owner() -> Option<Owner> {
    if !rustix::process::getuid().is_root() {
        return Some(Owner::Ourselves);
    }
    Some(Owner::Other { user: id("-u")?, group: id("-g")? })
}

/// A number of Debian's user; nothing if there is no such user.
fn id(which: &str) -> Option<u32> {
    let output = Command::new("id").args([which, DEBIAN]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The newest version among Debian's folders.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(number)?;
    Some(newest.join("bin")).filter(|programs| programs.join("postgres").is_file())
}

fn succeed(command: &mut Command) -> Result<(), Fault> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let program = command.get_program().to_string_lossy().into_owned();
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
