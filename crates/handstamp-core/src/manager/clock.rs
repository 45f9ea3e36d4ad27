//! How far clocks are apart.

use std::time::Duration;

use super::SessionManager;
use crate::error::SessionError;
use crate::time::{Machine, TimeSource};

/// How far clocks of this process are away from the one that all processes on the store share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockOffset {
    /// Milliseconds by which the wall clock of this machine is ahead; negative when it is behind.
    /// It does no harm, and whoever runs the machine may want to know.
    pub machine: i64,
    /// Milliseconds by which the clock is ahead that sessions are judged by
    /// ([`SessionManager::now`]). It is set by the store's when the store is opened, and carried on;
    /// only what it has drifted since then is left.
    pub sessions: i64,
    /// The figures may be wrong by so much: half the time that asking took.
    pub within: Duration,
}

impl SessionManager {
    /// How far the clocks of this process are from the store's, asked anew; `None` where the store
    /// has none but this machine's.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] where the store does not answer.
    pub async fn clock_offset(&self) -> Result<Option<ClockOffset>, SessionError> {
        let asked = Machine.elapsed();
        let Some(there) = self.engine.store.time().await? else { return Ok(None) };
        let (machine, sessions) = (Machine.wall(), self.now());
        let within = Machine.elapsed().saturating_sub(asked) / 2;
        let there = there.plus(within).as_millis();
        let [machine, sessions] = [machine, sessions].map(|time| time.as_millis() - there);
        Ok(Some(ClockOffset { machine, sessions, within }))
    }
}
