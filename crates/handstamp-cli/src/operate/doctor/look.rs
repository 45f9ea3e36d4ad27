//! What the doctor looks at, one thing a function.

use std::path::Path;
use std::time::SystemTime;

use handstamp_core::KeyRing;
use handstamp_protocol::admin::ServiceClock;
use handstamp_protocol::logs::{LogList, LogsQuery};
use handstamp_protocol::{Time, paths};
use handstamp_server::SOCKET;
use handstamp_server::settings::{Keys, Loaded};

use super::Health;
use crate::operate::running::Running;
use crate::serve::opening::LOCK;
use crate::settings;
use crate::words::point;

/// Less room than this on the disk is bad: 64 MiB.
const TIGHT: u64 = 64 << 20;

/// Less than this is doubtful: 1 GiB.
const SMALL: u64 = 1 << 30;

/// How far clocks may be apart before somebody should know: a minute.
const APART_MILLIS: i64 = 60_000;

/// What a service keeps in its folder.
const FILES: [&str; 6] =
    ["sessions.db", "sessions.db-wal", "sessions.db-shm", "sessions.db.lock", SOCKET, LOCK];

/// One thing, and how it was found.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) what: &'static str,
    pub(super) health: Health,
    pub(super) found: String,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, health: Health::Good, found: found.into() }
    }

    pub(super) fn doubtful(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, health: Health::Doubtful, found: found.into() }
    }

    pub(super) fn bad(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, health: Health::Bad, found: found.into() }
    }
}

/// That they can be read at all was found before.
pub(super) fn settings(loaded: &Loaded) -> Finding {
    if !loaded.warnings.is_empty() {
        return Finding::doubtful("settings", loaded.warnings.join("; "));
    }
    let set = loaded.effective.iter().filter(|setting| setting.is_set()).count();
    Finding::good("settings", format!("{set} set, the rest by default"))
}

/// Whether the ring opens, and lies where a copy of the data does not take it along.
pub(super) fn key_ring(keys: &Keys, folder: &Path) -> Finding {
    const WHAT: &str = "key ring";
    let ring = match settings::key_ring(keys, |path| KeyRing::open(path)) {
        Ok(ring) => ring,
        Err(failure) => return Finding::bad(WHAT, failure.text()),
    };
    let count = ring.infos().len();
    let Some(path) = keys.file.as_deref().filter(|_| keys.ring.is_none()) else {
        return Finding::good(WHAT, format!("keys in it: {count}, from keys.ring"));
    };
    let found = format!("keys in it: {count}, at {}", path.display());
    match is_inside(path, folder) {
        false => Finding::good(WHAT, found),
        true => Finding::doubtful(
            WHAT,
            format!("{found}, beside the data: who copies that folder has both; move it"),
        ),
    }
}

fn is_inside(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

/// Whether it and what lies in it is for its owner only.
pub(super) fn folder(folder: &Path) -> Finding {
    const WHAT: &str = "data";
    let path = folder.display();
    match modes(folder) {
        Err(error) => Finding::bad(WHAT, format!("{path}: {error}")),
        Ok(open) if open.is_empty() => Finding::good(WHAT, format!("{path}, for its owner only")),
        Ok(open) => Finding::bad(WHAT, open.join("; ")),
    }
}

/// What others may do with the folder and its files, which they may not; a line each.
fn modes(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut open = Vec::new();
    let mut look = |path: &Path, mode: u32, to: &str| {
        if mode & 0o077 != 0 {
            let path = path.display();
            open.push(format!("{path} is open to others (mode {mode:o}); run: chmod {to} {path}"));
        }
    };
    look(folder, mode(folder)?, "700");
    for file in FILES {
        let path = folder.join(file);
        match mode(&path) {
            Ok(mode) => look(&path, mode, "600"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(open)
}

#[cfg(unix)]
fn mode(path: &Path) -> std::io::Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(path.metadata()?.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(path: &Path) -> std::io::Result<u32> {
    path.metadata().map(|_| 0o700)
}

/// Whether there is room to write.
pub(super) fn disk(folder: &Path) -> Finding {
    const WHAT: &str = "disk";
    let room = match room(folder) {
        Ok(room) => room,
        Err(error) => return Finding::doubtful(WHAT, error.to_string()),
    };
    let found = format!("{} MiB free", room >> 20);
    match room {
        ..TIGHT => Finding::bad(WHAT, format!("{found}: make room")),
        TIGHT..SMALL => Finding::doubtful(WHAT, found),
        _ => Finding::good(WHAT, found),
    }
}

#[cfg(unix)]
fn room(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn room(_folder: &Path) -> std::io::Result<u64> {
    Err(std::io::Error::other("not told on this system"))
}

/// Who holds the store.
pub(super) fn service(running: &Running) -> Finding {
    if running.is_elsewhere() {
        Finding::good("service", "answers at its local socket")
    } else {
        Finding::doubtful("service", "none runs; nobody else holds the data")
    }
}

/// Whether the database answers: where this process opened it, its schema fits too.
pub(super) async fn store(running: &Running) -> Finding {
    match running.text(paths::READYZ).await {
        Ok(_) => Finding::good("store", "answers"),
        Err(failure) => Finding::bad("store", failure.text()),
    }
}

/// Whether the clock of this machine is the one that the service judges by, and is not behind what
/// was written last: then it was set back, or a backup of another machine was restored.
///
/// On a store that several services share, its clock is the one they judge by.
pub(super) async fn clock(running: &Running, is_shared: bool) -> Finding {
    let query = LogsQuery { limit: Some(1), ..LogsQuery::default() };
    let newest = running.get::<LogList>(paths::ADMIN_LOGS, &query).await;
    let service = running.get::<ServiceClock>(paths::LOCAL_CLOCK, &()).await;
    match (newest, service) {
        (Ok(newest), Ok(service)) => {
            let newest = newest.logs.into_iter().next().map(|line| line.created_at);
            if is_shared {
                return compare_with_store(Time::from(SystemTime::now()), service.now);
            }
            compare(Time::from(SystemTime::now()), service.now, newest)
        }
        (Err(failure), _) | (_, Err(failure)) => Finding::bad(CLOCK, failure.text()),
    }
}

const CLOCK: &str = "clock";

fn compare_with_store(now: Time, store: Time) -> Finding {
    let (here, there) = (point(now), point(store));
    if now.as_millis().saturating_sub(store.as_millis()).saturating_abs() > APART_MILLIS {
        let found = format!(
            "shows {here}, and that of the database {there}; sessions go by the database's, so it \
             does no harm: set it"
        );
        return Finding::doubtful(CLOCK, found);
    }
    Finding::good(CLOCK, format!("shows {here}, as that of the database does"))
}

fn compare(now: Time, service: Time, newest: Option<Time>) -> Finding {
    let here = point(now);
    let apart = now.as_millis().saturating_sub(service.as_millis()).saturating_abs();
    let Some(newest) = newest else {
        return Finding::good(CLOCK, format!("shows {here}; nothing has happened yet"));
    };
    if newest.as_millis().saturating_sub(now.as_millis()) > APART_MILLIS {
        let last = point(newest);
        return Finding::bad(CLOCK, format!("shows {here}, but the log goes on to {last}; set it"));
    }
    if apart > APART_MILLIS {
        let there = point(service);
        let found = format!(
            "shows {here}, but the service goes by {there}: it was set while the service ran, \
             which takes it over at its next start"
        );
        return Finding::doubtful(CLOCK, found);
    }
    Finding::good(CLOCK, format!("shows {here}; the newest event is of {}", point(newest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_clock_behind_the_log_is_bad() {
        let health = |now, newest| compare(at(now), at(now), Some(at(newest))).health;
        assert_eq!(health(0, APART_MILLIS + 1), Health::Bad);
        assert_eq!(health(0, APART_MILLIS), Health::Good);
        assert_eq!(health(i64::from(u32::MAX), 0), Health::Good);
        assert_eq!(compare(at(0), at(0), None).health, Health::Good);
    }

    #[test]
    fn a_clock_that_is_ten_minutes_from_that_of_a_shared_store_is_doubtful() {
        for store in [600_000, -600_000] {
            let found = compare_with_store(at(0), at(store));
            assert_eq!(found.health, Health::Doubtful, "{}", found.found);
        }
        assert_eq!(compare_with_store(at(0), at(APART_MILLIS)).health, Health::Good);
    }

    #[test]
    fn a_clock_that_was_set_while_the_service_ran_is_doubtful() {
        for service in [APART_MILLIS + 1, -APART_MILLIS - 1] {
            let found = compare(at(0), at(service), Some(at(0)));
            assert_eq!(found.health, Health::Doubtful, "{}", found.found);
        }
        assert_eq!(compare(at(0), at(APART_MILLIS), Some(at(0))).health, Health::Good);
    }
}
