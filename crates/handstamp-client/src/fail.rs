//! Where tests kill the process, to see what the next one makes of what is left, and where they have
//! it refused what some file systems do not do.

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

/// A failure in place of what is about to be done, if [`REFUSES`] names it.
#[cfg(not(all(unix, any(test, feature = "testing"))))]
#[allow(clippy::unnecessary_wraps, reason = "it fails in tests")]
pub(crate) const fn refused(_: &str) -> std::io::Result<()> {
    Ok(())
}

/// A failure in place of what is about to be done, if [`REFUSES`] names it: `NAME=ERRNO`, several
/// with commas in between.
#[cfg(all(unix, any(test, feature = "testing")))]
pub(crate) fn refused(what: &str) -> std::io::Result<()> {
    let Ok(refusals) = std::env::var(REFUSES) else { return Ok(()) };
    let refusals = refusals.split(',').filter_map(|refusal| refusal.split_once('='));
    let number = refusals.filter(|(name, _)| *name == what).find_map(|(_, it)| it.parse().ok());
    number.map_or(Ok(()), |number| Err(std::io::Error::from_raw_os_error(number)))
}

/// Names what is refused.
#[cfg(all(unix, any(test, feature = "testing")))]
const REFUSES: &str = "HANDSTAMP_CLIENT_REFUSES";

/// Names the point.
#[cfg(all(unix, any(test, feature = "testing")))]
const VARIABLE: &str = "HANDSTAMP_CLIENT_KILL";
