//! PostgreSQL as Debian installs it, on an empty folder, with its settings as they are by default.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::Fault;
use crate::service::process::{Place, Process, free_port};

/// Who owns a database here, and what Debian calls the user that may start a server.
const OWNER: &str = "bench";
const DEBIAN: &str = "postgres";

/// A server that runs until it is dropped.
pub(crate) struct Postgres {
    process: Process,
    port: u16,
    programs: PathBuf,
    /// Outside of the project, because another user than ours must reach it.
    folder: TempDir,
}

impl Postgres {
    /// Nothing where it is not installed, or where nobody but root is there to run it.
    pub(crate) async fn start(place: Place, log: &Path) -> Result<Option<Self>, Fault> {
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
        let mut process = Process::start(&command, place, log)?;
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

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The server itself.
    pub(crate) const fn process(&self) -> &Process {
        &self.process
    }

    /// Makes an empty database.
    pub(crate) fn create(&self, name: &str) -> Result<(), Fault> {
        let mut command = Command::new(self.programs.join("createdb"));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", OWNER, name]);
        succeed(&mut command)
    }

    /// Makes an empty database; answers its address.
    pub(crate) fn address(&self, name: &str) -> Result<String, Fault> {
        self.create(name)?;
        Ok(format!("postgres://{OWNER}@127.0.0.1:{}/{name}", self.port))
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
