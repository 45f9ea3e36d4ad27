//! When what failed is tried again.

use std::time::Duration;

use handstamp_core::random::{Rng, random};
use handstamp_core::time::Timestamp;
use handstamp_protocol::Time;

/// How long after the first, second, … failure a delivery is tried again, in seconds: the example
/// of Standard Webhooks. Ten tries lie within 76 hours; the last wait is repeated after that.
const WAITS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The longest wait that a receiver may ask for.
const MOST: Duration = Duration::from_secs(86_400);

/// How long to wait after failure number `failures`, counted from 1: up to a fifth longer than
/// the schedule says, by chance, so that what failed together does not come back together.
pub(super) fn wait(failures: u32, rng: &dyn Rng) -> Duration {
    let at = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = WAITS.get(at).or(WAITS.last()).copied().unwrap_or_default();
    // Without random bytes all come back together, which is no reason not to.
    let [chance] = random::<1>(rng).unwrap_or_default();
    Duration::from_millis(seconds * 1000 + seconds * u64::from(chance) * 1000 / 5 / 256)
}

/// How long a receiver wants to be left alone, by its `Retry-After` (RFC 9110 §10.2.3): seconds
/// or a date, a day at most.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)).min(MOST));
    }
    let at = Timestamp::from_millis(date(value)?.as_millis());
    Some(at.since(now).min(MOST))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of a date that is still sent.
fn date(value: &str) -> Option<Time> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = value.strip_suffix(" GMT")?.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (time, None) = (parts.next()?, parts.next()) else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::random::RandomError;

    struct Bytes(u8);

    impl Rng for Bytes {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            out.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn b12_waits_grow_as_the_specification_shows_and_the_last_is_repeated() {
        let waits: Vec<_> = (1..=11).map(|failures| wait(failures, &Bytes(0)).as_secs()).collect();
        assert_eq!(waits[..9], WAITS);
        assert_eq!(waits[9..], [86_400, 86_400]);
        assert_eq!(wait(u32::MAX, &Bytes(0)).as_secs(), 86_400);
    }

    #[test]
    fn chance_makes_a_wait_longer_by_less_than_a_fifth() {
        for failures in 1..=9 {
            let (least, most) = (wait(failures, &Bytes(0)), wait(failures, &Bytes(255)));
            assert!(most > least && most < least.mul_f64(1.2), "{least:?} {most:?}");
        }
    }

    #[test]
    fn b12_retry_after_is_seconds_or_a_date_and_a_day_at_most() {
        let now = Timestamp::from_millis(784_111_777_000);
        let seconds = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0), "it is past");
        assert_eq!(seconds("99999999999999999999999"), Some(86_400));
        assert_eq!(seconds("Fri, 31 Dec 2100 23:59:59 GMT"), Some(86_400));
        for bad in ["", "soon", "-1", "1.5", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 6 Nov 1994"] {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }
}
