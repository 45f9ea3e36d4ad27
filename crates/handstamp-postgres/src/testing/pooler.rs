//! PgBouncer before the server that tests share.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use super::database::shared_folder;
use super::server::{OWNER, as_owner, id, is_root, make_folder};

/// Where Debian has it.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// Reads until this process has ended, then stops the pooler and tidies up.
const GUARD: &str = r#"trap "" INT HUP TERM
folder=$1; shift
"$@" > "$folder/log" 2>&1 &
echo started
cat > /dev/null
kill -KILL $!
rm -rf "$folder""#;

/// Hands connections on between transactions, three to the server for each database.
#[derive(Debug)]
pub struct Pooler {
    folder: PathBuf,
    _line: ChildStdin,
    _guard: Child,
}

static SHARED: LazyLock<Pooler> = LazyLock::new(|| Pooler::start(shared_folder()));

impl Pooler {
    /// The one before the shared server.
    ///
    /// # Panics
    /// Where PgBouncer is not installed, or does not start.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    fn start(server: &Path) -> Self {
        assert!(Path::new(PROGRAM).is_file(), "no PgBouncer: on Debian, apt-get install pgbouncer");
        let folder = make_folder(true);
        let (settings, users) = (folder.join("settings"), folder.join("users"));
        let place = folder.display();
        let text = format!(
            "[databases]\n* = host={}\n[pgbouncer]\npool_mode = transaction\nauth_type = trust\n\
             auth_file = {}\nunix_socket_dir = {place}\nlisten_port = 5432\n\
             default_pool_size = 3\nmax_client_conn = 1000\n",
            server.display(),
            users.display()
        );
        for (path, text) in [(&settings, text), (&users, format!("\"{OWNER}\" \"\"\n"))] {
            std::fs::write(path, text).unwrap();
            if is_root() {
                chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
            }
        }
        let mut program = as_owner(Path::new(PROGRAM));
        program.arg(&settings);
        let mut guard = std::process::Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&folder).arg(program.get_program());
        guard.args(program.get_args()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guard = guard.spawn().unwrap();
        let line = guard.stdin.take().unwrap();
        let mut started = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut started).unwrap();
        let pooler = Self { folder, _line: line, _guard: guard };
        pooler.until_ready();
        pooler
    }

    fn until_ready(&self) {
        for _ in 0..200 {
            if self.folder.join(".s.PGSQL.5432").exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PgBouncer does not start: {log}");
    }

    /// The address by which the server is reached at `url` leads through here.
    pub fn url(&self, url: &str) -> String {
        let (start, _) = url.split_once("?host=").unwrap();
        format!("{start}?host={}", self.folder.display())
    }
}
