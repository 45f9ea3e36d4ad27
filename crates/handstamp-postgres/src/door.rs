//! Connections from the pool; and while none can be made, one try at a time for all who want one.
//!
//! Without it, a server that is cut off is tried as often as anybody asks for anything, and run over when
//! it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgPool, Postgres};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::fault::Fault;

/// The shortest between a try that failed and the next one: so much later than the server whoever asks
/// is back.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come from.
#[derive(Debug)]
pub(crate) struct Door {
    pool: PgPool,
    /// The last try failed.
    is_shut: AtomicBool,
    /// How many tries have begun while it was shut.
    begun: AtomicU64,
    /// Held by whoever tries.
    last: Mutex<Last>,
}

/// The last try that failed.
#[derive(Debug, Default)]
struct Last {
    number: u64,
    failed: Option<(Instant, Arc<sqlx::Error>)>,
}

impl Door {
    /// To `pool`.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, is_shut: false.into(), begun: 0.into(), last: Mutex::default() }
    }

    /// The pool.
    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection, which may be dead if it lay in the pool. While none can be made, whoever asks shares
    /// the answer of a try that began after they asked.
    ///
    /// # Errors
    /// [`Fault::Unreached`] when none can be made.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Fault> {
        if !self.is_shut.load(Ordering::SeqCst) {
            return self.try_once().await;
        }
        if let Some(idle) = self.pool.try_acquire() {
            return Ok(idle);
        }
        let asked_at = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if !self.is_shut.load(Ordering::SeqCst) {
            drop(last);
            return self.try_once().await;
        }
        if let Some((failed_at, why)) = &last.failed {
            if last.number > asked_at {
                return Err(Fault::Unreached(Arc::clone(why)));
            }
            tokio::time::sleep_until(*failed_at + PAUSE).await;
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let tried = self.try_for_sure().await;
        match &tried {
            Ok(_) => self.is_shut.store(false, Ordering::SeqCst),
            Err(Fault::Unreached(why)) => {
                *last = Last { number, failed: Some((Instant::now(), Arc::clone(why))) };
            }
            // Refused, or without an answer, for as long as is waited at all.
            Err(Fault::Sql(sqlx::Error::PoolTimedOut)) => {
                let why = Arc::new(sqlx::Error::PoolTimedOut);
                *last = Last { number, failed: Some((Instant::now(), why)) };
            }
            Err(_) => {}
        }
        tried
    }

    /// A connection that answers: one that lay in the pool may be dead, and would open the door for all.
    async fn try_for_sure(&self) -> Result<PoolConnection<Postgres>, Fault> {
        let mut connection = self.try_once().await?;
        let most = self.pool.options().get_acquire_timeout();
        let answer = tokio::time::timeout(most, connection.ping()).await;
        match answer.map_err(|_| sqlx::Error::PoolTimedOut) {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(error)) | Err(error) => {
                connection.close_on_drop();
                Err(Fault::Unreached(Arc::new(error)))
            }
        }
    }

    async fn try_once(&self) -> Result<PoolConnection<Postgres>, Fault> {
        match self.pool.acquire().await {
            Ok(connection) => Ok(connection),
            Err(error @ (sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_))) => {
                self.is_shut.store(true, Ordering::SeqCst);
                Err(Fault::Unreached(Arc::new(error)))
            }
            // The server says no, or all connections are in use.
            Err(error) => Err(error.into()),
        }
    }
}
