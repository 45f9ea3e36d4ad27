//! Servers: each pinned to a processor, weighed, and ended by its id.

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::http;
use crate::Fault;

/// The processor of the server that is measured.
const SERVER: &str = "0";

/// The processor of everything else: who asks, and the databases of peers.
const REST: usize = 1;

/// How long a server may take to start: Python reads many files.
const START: Duration = Duration::from_secs(60);

/// How long a server may take to end before it is killed.
const END: Duration = Duration::from_secs(30);

/// Linux counts processor time in hundredths of a second, wherever programs see it (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Where a server runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Alone on the first processor.
    Measured,
    /// Beside those who ask.
    Beside,
    /// On all processors.
    Anywhere,
}

/// A server that runs. It is told to end when it is dropped, and killed if it does not.
pub(crate) struct Process {
    child: Child,
    name: String,
}

/// Pins this process, and what it starts, to the second processor.
///
/// # Errors
/// The machine has only one.
pub(crate) fn step_aside() -> Result<(), Fault> {
    let mut set = CpuSet::new();
    set.set(REST);
    sched_setaffinity(None, &set)
        .map_err(|_| "two processors are needed: one for the server, one for who asks".into())
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16, Fault> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Process {
    /// Starts `command`; what it prints goes to `log`.
    pub(crate) fn start(command: &Command, place: Place, log: &Path) -> Result<Self, Fault> {
        let name = command.get_program().to_string_lossy().into_owned();
        let out = fs::File::options().create(true).append(true).open(log)?;
        let mut pinned = pinned(command, place);
        let child = pinned
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            // Ctrl-C at the terminal reaches us alone, and we end them.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{name} could not be started: {error}"))?;
        Ok(Self { child, name })
    }

    /// Waits until it answers `path` with 200.
    ///
    /// # Errors
    /// It ended, or took longer than a minute.
    pub(crate) async fn ready(&mut self, port: u16, path: &str) -> Result<(), Fault> {
        self.until(async || http::is_ready(port, path).await).await
    }

    /// Waits until somebody listens on `port`.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub(crate) async fn listens(&mut self, port: u16) -> Result<(), Fault> {
        self.until(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await
    }

    async fn until(&mut self, is_so: impl AsyncFn() -> bool) -> Result<(), Fault> {
        let start = Instant::now();
        while !is_so().await {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended with {status}", self.name).into());
            }
            if start.elapsed() > START {
                return Err(format!("{} did not answer within {START:?}", self.name).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Processor time of it and all that it started, so far.
    pub(crate) fn cpu(&self) -> Duration {
        let processes = processes();
        let mut tree = vec![self.child.id()];
        let mut ticks = 0;
        while let Some(id) = tree.pop() {
            ticks += processes.get(&id).map_or(0, |it| it.ticks);
            tree.extend(processes.iter().filter(|(_, it)| it.parent == id).map(|(id, _)| id));
        }
        Duration::from_secs_f64(f64::from(ticks) / TICKS_PER_SECOND)
    }

    /// Bytes of memory that it holds (RSS).
    pub(crate) fn resident_bytes(&self) -> u64 {
        crate::disk::resident_bytes_of(&self.child.id().to_string())
    }

    fn end(&mut self) {
        let start = Instant::now();
        let is_told = kill_process(Pid::from_child(&self.child), Signal::TERM).is_ok();
        while is_told && matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > END {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // After its end this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The same command under `taskset`, which becomes the program, so that the id is the program's.
fn pinned(command: &Command, place: Place) -> Command {
    let processor = match place {
        Place::Measured => SERVER.to_owned(),
        Place::Beside => REST.to_string(),
        Place::Anywhere => format!("{SERVER},{REST}"),
    };
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", &processor]).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(key, value),
            None => pinned.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    pinned
}

/// A line of the system's list of processes.
struct Listed {
    parent: u32,
    /// Its own time, and that of children that have ended.
    ticks: u32,
}

fn processes() -> HashMap<u32, Listed> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let list = ids.filter_map(|id: u32| {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        Some((id, listed(&text)?))
    });
    list.collect()
}

/// Reads a line of `/proc/PID/stat`, whose second field may hold anything between parentheses.
fn listed(text: &str) -> Option<Listed> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<_> = rest.split(' ').collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks: Vec<u32> = fields.get(11..15)?.iter().filter_map(|it| it.parse().ok()).collect();
    Some(Listed { parent, ticks: ticks.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let text = "7 (a) b (c) S 3 7 7 0 -1 4 90 0 0 0 11 22 33 44 20 0 1 0 5 6 7";
        let listed = listed(text).unwrap();
        assert_eq!((listed.parent, listed.ticks), (3, 110));
    }

    #[test]
    fn a_server_is_a_child_of_this_process() {
        let processes = processes();
        assert!(processes.contains_key(&std::process::id()));
    }
}
