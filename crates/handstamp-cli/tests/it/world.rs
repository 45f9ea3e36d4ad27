//! A machine of its own for each test: a home, a current folder, an environment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub(crate) struct World {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), variables: Vec::new() }
    }

    /// Sets an environment variable.
    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        self.variables.push((name.into(), text.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, for its owner only.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
    }

    /// Runs the program in the folder of this world.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs the program with this text on its stdin.
    pub(crate) fn feed(&self, arguments: &[&str], text: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // Whoever refuses before it reads closes the pipe.
        let _ = process.stdin.take().unwrap().write_all(text.as_bytes());
        process.wait_with_output().unwrap().into()
    }

    /// The program with these arguments, as this world runs it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("HOME", self.folder.path());
        command.envs(self.variables.iter().map(|(name, text)| (name, text)));
        command
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// What a run printed that did what was asked.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!((self.exit, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// The same, where it also says something on stderr.
    #[track_caller]
    pub(crate) fn out(self) -> String {
        assert_eq!(self.exit, 0, "{}", self.err);
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Json {
        serde_json::from_str(&self.good()).unwrap()
    }

    /// The one line of a run that ended so.
    #[track_caller]
    pub(crate) fn line(self, exit: i32) -> String {
        assert_eq!((self.exit, self.out.as_str()), (exit, ""), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        self.err.trim().strip_prefix("handstamp: ").unwrap().to_owned()
    }
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A service that runs until it is stopped or dropped.
pub(crate) struct Served {
    process: Child,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
    pub(crate) url: String,
}

impl World {
    /// Starts `handstamp serve` on a port of its own; it is ready when this answers.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Served {
        self.start(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat())
    }

    /// Starts `handstamp serve`, and kills it after so long, whether it is ready by then or not.
    pub(crate) fn kill_after(&self, span: Duration) {
        self.kill(&["serve", "--listen", "127.0.0.1:0"], span);
    }

    /// Starts the program, and kills it after so long; answers whether it was still at work.
    pub(crate) fn kill(&self, arguments: &[&str], span: Duration) -> bool {
        let mut command = self.command(arguments);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(span);
        process.kill().unwrap();
        process.wait().unwrap().code().is_none()
    }

    /// Starts what serves until it is stopped, and says its address at the end of its first line.
    pub(crate) fn start(&self, arguments: &[&str]) -> Served {
        let mut command = self.command(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut err = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        if line.is_empty() {
            err.read_to_string(&mut line).unwrap();
            panic!("it did not start: {line}");
        }
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        Served { process, out, err, url }
    }
}

impl Served {
    /// Asks for a path; answers status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(&self.url, path)
    }

    /// Begins a session by a service key; answers what that answers.
    #[track_caller]
    pub(crate) fn begin(&self, key: &str, subject: &str) -> Json {
        let client = json!({ "ip_address": "203.0.113.7", "user_agent": "curl/8.1" });
        let body = json!({ "subject": subject, "client": client }).to_string();
        let headers = format!(
            "Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let (status, answer) = ask(&self.url, "POST /sessions", &headers, &body);
        assert_eq!(status, 201, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// The next line of its output that holds this text.
    pub(crate) fn line(&mut self, text: &str) -> String {
        next_line(&mut self.out, text)
    }

    /// The next line of the log that holds this text.
    pub(crate) fn log_line(&mut self, text: &str) -> String {
        next_line(&mut self.err, text)
    }

    fn ask_to_stop(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Asks it to stop by a signal, and waits until it has, in peace.
    pub(crate) fn terminate(&mut self) {
        self.ask_to_stop();
        let ended = self.process.wait().unwrap();
        assert!(ended.success(), "{ended}");
    }

    /// Asks it to stop by a signal; answers its exit code and the rest of its output.
    pub(crate) fn stop(mut self) -> Ran {
        self.ask_to_stop();
        let mut ran = Ran { exit: 0, out: String::new(), err: String::new() };
        self.out.read_to_string(&mut ran.out).unwrap();
        self.err.read_to_string(&mut ran.err).unwrap();
        ran.exit = self.process.wait().unwrap().code().unwrap();
        ran
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn next_line(from: &mut impl BufRead, text: &str) -> String {
    let mut line = String::new();
    while from.read_line(&mut line).unwrap() > 0 {
        if line.contains(text) {
            return line;
        }
        line.clear();
    }
    panic!("it ended without {text:?}");
}

/// Asks for a path; answers status and body.
pub(crate) fn get(url: &str, path: &str) -> (u16, String) {
    ask(url, &format!("GET {path}"), "", "")
}

/// Asks; `what` is method and path. Answers status and body.
pub(crate) fn ask(url: &str, what: &str, headers: &str, body: &str) -> (u16, String) {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "{what} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}
