//! Servers of PostgreSQL that belong to the tests of one process.
//!
//! A server is the child of a shell that reads from this process: however this process ends, the
//! shell hears of it, stops the server and removes its folder.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::block_on;
use crate::PostgresStore;

/// Who owns what is in the databases.
pub(super) const OWNER: &str = "handstamp";
/// What Debian calls the user that may start a server.
const DEBIAN: &str = "postgres";
/// The database that others are copies of.
pub(super) const MADE: &str = "made";

/// Reads until this process has ended, then stops the server and tidies up. The server may be
/// another one by then: see [`Server::crash`].
const GUARD: &str = r#"trap "" INT HUP TERM
folder=$1; shift
"$@" > "$folder/log" 2>&1 &
echo started
cat > /dev/null
if server=$(head -n 1 "$folder/data/postmaster.pid"); then
    kill -QUIT $server
    while kill -0 $server 2> /dev/null; do sleep 0.05; done
fi
rm -rf "$folder""#;

/// Who has to give a password, and what it is.
pub const LOCKED: (&str, &str) = ("locked", "hunter2-secret");
const RULES: &str = "local all locked scram-sha-256
local all all trust
local replication all trust
hostssl all all 127.0.0.0/8 trust
";

/// A server of its own; it stops, and leaves nothing behind, when this is dropped.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    port: String,
    /// Closed when this process ends.
    line: Option<ChildStdin>,
    guard: Child,
}

/// The one that most tests share. It keeps what it has in memory and syncs nothing: what it shows is
/// order, and what reaches the disk is shown elsewhere.
pub(super) static SHARED: LazyLock<Server> = LazyLock::new(|| {
    let server = Server::start(&["fsync=off", "full_page_writes=off", "synchronous_commit=off"]);
    // Whoever asks first may have a runtime already.
    std::thread::scope(|scope| scope.spawn(|| block_on(make(&server))).join().unwrap());
    server
});

/// Makes the database that others are copies of; a copy needs it to be nobody's.
async fn make(server: &Server) {
    server.create(MADE, "template0").await;
    let store = PostgresStore::open(&server.url(MADE)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'made'";
    server.run("postgres", close).await;
}

impl Server {
    /// Starts one with these settings: `["fsync=off"]`. Its socket is that of port 5432 unless they
    /// say another.
    ///
    /// # Panics
    /// Where PostgreSQL is not installed, or does not start.
    pub fn start(settings: &[&str]) -> Self {
        let programs = programs().expect(MISSING);
        let folder = make_folder(settings.contains(&"fsync=off"));
        let data = folder.join("data");
        let mut make = as_owner(&programs.join("initdb"));
        make.args(["--username", OWNER, "--auth", "trust", "--no-sync", "--encoding", "UTF8"]);
        make.args(["--locale", "C.UTF-8"]).arg("--pgdata").arg(&data);
        succeed(&mut make);
        std::fs::write(data.join("pg_hba.conf"), RULES).unwrap();
        Self::run_in(folder, programs, settings)
    }

    /// Starts another that follows this one and writes nothing of its own.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn standby(&self) -> Self {
        let (folder, programs) = (make_folder(true), self.programs.clone());
        let mut make = as_owner(&programs.join("pg_basebackup"));
        make.arg("-h").arg(&self.folder).args(["-U", OWNER, "-R", "-X", "stream", "-c", "fast"]);
        make.arg("-D").arg(folder.join("data"));
        succeed(&mut make);
        Self::run_in(folder, programs, &["hot_standby=on"])
    }

    /// A program that comes with the server, like `pg_dump`.
    pub fn tool(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }

    /// Has it speak TLS, with a certificate and its key in PEM.
    pub async fn speak_tls(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.folder.join("data").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                chown(&path, Some(id("-u")), Some(id("-g"))).unwrap();
            }
        }
        self.run("postgres", "ALTER SYSTEM SET ssl = on").await;
        self.run("postgres", "SELECT pg_reload_conf()").await;
    }

    fn run_in(folder: PathBuf, programs: PathBuf, settings: &[&str]) -> Self {
        let data = folder.join("data");
        let mut server = as_owner(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&folder);
        server.args(["-c", "listen_addresses=", "-c", "max_connections=300"]);
        server.args(["-c", "shared_buffers=64MB"]);
        for setting in settings {
            server.args(["-c", setting]);
        }
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&folder).arg(server.get_program());
        guard.args(server.get_args()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guard = guard.spawn().unwrap();
        let line = guard.stdin.take().unwrap();
        let mut started = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut started).unwrap();
        let port = settings.iter().find_map(|setting| setting.strip_prefix("port="));
        let port = port.unwrap_or("5432").to_owned();
        let server = Self { folder, programs, port, line: Some(line), guard };
        server.until_ready();
        server
    }

    /// Where it has its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Restarts it as after a crash: nobody is waited for, and nothing written out.
    pub fn crash(&self) {
        let mut restart = as_owner(&self.programs.join("pg_ctl"));
        restart.args(["-m", "immediate", "-w", "restart", "-D"]).arg(self.folder.join("data"));
        restart.arg("-l").arg(self.folder.join("log-after-crash"));
        // It would hold on to what it inherits.
        let done =
            restart.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(done.unwrap().success(), "PostgreSQL does not restart");
    }

    fn until_ready(&self) {
        for _ in 0..600 {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.arg("-q").arg("-h").arg(&self.folder).args(["-U", OWNER, "-p", &self.port]);
            if ready.status().unwrap().success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start: {log}");
    }

    /// The address of a database in it.
    pub fn url(&self, database: &str) -> String {
        let (port, folder) = (&self.port, self.folder.display());
        format!("postgres://{OWNER}@localhost:{port}/{database}?host={folder}")
    }

    /// Makes a database as a copy of another.
    pub async fn create(&self, name: &str, template: &str) {
        self.run("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    }

    /// Another program's hand in a database; answers how many rows it concerned.
    pub async fn run(&self, database: &str, sql: &str) -> u64 {
        let mut connection = self.connect(database).await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        let done = done.unwrap_or_else(|error| panic!("{error}: {sql}"));
        connection.close().await.unwrap();
        done.rows_affected()
    }

    /// A connection to a database.
    pub async fn connect(&self, database: &str) -> PgConnection {
        let options: PgConnectOptions = self.url(database).parse().unwrap();
        options.connect().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.line.take());
        let _ = self.guard.wait();
    }
}

const MISSING: &str = "PostgreSQL is not installed: on Debian, apt-get install postgresql";

/// The newest version among Debian's folders.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(number)?;
    Some(newest.join("bin")).filter(|programs| programs.join("postgres").is_file())
}

pub(super) fn make_folder(is_fast: bool) -> PathBuf {
    let ram = Path::new("/dev/shm");
    let beside = if is_fast && ram.is_dir() { ram.into() } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix("handstamp-pg-").tempdir_in(beside).unwrap();
    if is_root() {
        chown(folder.path(), Some(id("-u")), Some(id("-g"))).unwrap();
    }
    folder.keep()
}

pub(super) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// PostgreSQL refuses root, so Debian's user runs it then.
pub(super) fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", DEBIAN, "--regid", DEBIAN, "--clear-groups", "--"]).arg(program);
    command
}

pub(super) fn id(which: &str) -> u32 {
    let output = Command::new("id").args([which, DEBIAN]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().expect(MISSING)
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
