//! A timer of the system that counts the time that the machine is suspended.
//!
//! With it a long wait is one wake-up. Tokio's own timers stand still with the machine, and wake
//! the process three times for a wait of more than some seconds: once for each level of their wheel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Result;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::net::unix::pipe::Receiver;

/// How many a process has at a time. Each is a file descriptor, and a program with a thousand
/// sessions needs its own for connections.
const MOST: usize = 16;

static SET: AtomicUsize = AtomicUsize::new(0);

/// One of the alarms that a process may have.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let one_more = |set| (set < MOST).then_some(set + 1);
        SET.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        SET.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until `CLOCK_BOOTTIME` shows `until`. Answers whether that could be waited for: the
/// process may have its share of alarms, or the system none left.
pub(crate) async fn rings_at(until: Duration) -> bool {
    let Some(_place) = Place::take() else { return false };
    // Tokio waits for whatever can be polled; what it calls a pipe is never read from here.
    let timer = timer(until).ok().and_then(|it| Receiver::from_owned_fd_unchecked(it).ok());
    match timer {
        Some(timer) => timer.readable().await.is_ok(),
        None => false,
    }
}

fn timer(until: Duration) -> Result<OwnedFd> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec {
            tv_sec: i64::try_from(until.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: until.subsec_nanos().into(),
        },
    };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &once)?;
    Ok(timer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, SystemClock};

    #[tokio::test]
    async fn an_alarm_rings_when_its_time_has_come_and_not_before() {
        let clock = SystemClock::new();
        for span in [Duration::ZERO, Duration::from_millis(30)] {
            let until = clock.elapsed() + span;
            assert!(rings_at(until).await);
            assert!(clock.elapsed() >= until);
        }
    }

    #[tokio::test]
    async fn an_alarm_far_ahead_waits_and_can_be_dropped() {
        let far = SystemClock::new().elapsed() + Duration::from_secs(3600);
        for until in [far, Duration::MAX] {
            let soon = tokio::time::timeout(Duration::from_millis(20), rings_at(until));
            assert!(soon.await.is_err());
        }
    }
}
