//! Where tests kill the process, to see what the next one makes of what is left.

/// The process ends here if a test says so.
#[cfg(not(all(unix, any(test, feature = "testing"))))]
pub(crate) const fn point(_: &str) {}

/// The process ends here, as by SIGKILL, if [`VARIABLE`] names this point: `NAME`, or `NAME#2` for
/// the second time that it is come by.
#[cfg(all(unix, any(test, feature = "testing")))]
pub(crate) fn point(name: &'static str) {
    use std::sync::Mutex;
    use std::sync::PoisonError;

    use rustix::process::{Signal, getpid, kill_process};

    static TIMES: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let Ok(wanted) = std::env::var(VARIABLE) else { return };
    let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
    times.push(name);
    let count = times.iter().filter(|it| **it == name).count();
    let (wanted, number) = wanted.split_once('#').unwrap_or((&wanted, "1"));
    if wanted == name && number.parse() == Ok(count) {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// Names the point.
#[cfg(all(unix, any(test, feature = "testing")))]
const VARIABLE: &str = "HANDSTAMP_CLIENT_KILL";
