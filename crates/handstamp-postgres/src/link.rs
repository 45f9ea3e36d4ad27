//! The way to the server: one statement at a time, and transactions.
//!
//! Nothing here lasts longer than a transaction, so a pooler that hands connections on between
//! transactions may stand in between. Where a call is given up in the middle, its connection is
//! closed, which rolls back whatever it had open.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr};

use crate::content::standing;
use crate::door::Door;
use crate::fault::Fault;
use crate::rows::Columns;

/// A statement with its values.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Names the lock of the deployment's head. A row that every commit of every node locks would be
/// written by all of them; this lock lies in the server's memory.
const DEPLOYMENT: i64 = 0x4841_4e44_5354_4d50;

/// A fresh connection is tried so often, beyond those that lie in the pool and may all be dead.
const FRESH: u32 = 2;

/// Who else may be at work meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum With {
    /// Whoever wants to.
    Anybody,
    /// Nobody who moves the deployment's head or leaves the store; nor is it one that was left.
    Served,
    /// Nobody who moves the deployment's head.
    Commits,
    /// Nobody who commits.
    Nobody,
}

/// The pool, and how to use it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    door: Arc<Door>,
    begins: [Arc<str>; 4],
    patience: Duration,
    is_prepared: bool,
    has_own: bool,
    /// Whether the limits are those that the pool's connections have by themselves.
    is_usual: bool,
}

impl Link {
    /// Through `pool`. A statement that takes longer than `patience` is given up.
    pub(crate) fn new(pool: PgPool, patience: Duration, is_prepared: bool) -> Self {
        Self::through(Arc::new(Door::new(pool)), patience, is_prepared)
    }

    fn through(door: Arc<Door>, patience: Duration, is_prepared: bool) -> Self {
        let withs = [With::Anybody, With::Served, With::Commits, With::Nobody];
        let begins = withs.map(|with| begin(with, patience));
        Self { door, begins, patience, is_prepared, has_own: false, is_usual: true }
    }

    /// The same; whether there are enough connections for whoever asks to have one for itself.
    pub(crate) const fn with_own(mut self, has_own: bool) -> Self {
        self.has_own = has_own;
        self
    }

    /// The same, for statements that may take as long as `patience`.
    pub(crate) fn patient(&self, patience: Duration) -> Self {
        let link = Self::through(Arc::clone(&self.door), patience, self.is_prepared);
        Self { is_usual: false, ..link }
    }

    /// The pool.
    pub(crate) fn pool(&self) -> &PgPool {
        self.door.pool()
    }

    /// Whether statements stay prepared, so that one can be a transaction by itself.
    pub(crate) const fn is_prepared(&self) -> bool {
        self.is_prepared
    }

    /// How long is waited for an answer.
    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    /// The rows of one statement that does no harm when it is done twice. One that meets a dead
    /// connection goes to another.
    pub(crate) async fn rows<'q>(
        &self,
        make: impl Fn() -> Statement<'q>,
    ) -> Result<Vec<PgRow>, Fault> {
        let mut tries = self.tries();
        loop {
            tries -= 1;
            match self.rows_once(make()).await {
                Err(fault) if fault.is_broken() && tries > 0 && !matches!(fault, Fault::Late) => {}
                other => return other,
            }
        }
    }

    async fn rows_once(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Fault> {
        if self.is_prepared && self.is_usual {
            return self.once(statement).await;
        }
        // An unnamed statement is the connection's, which is ours for a transaction. So are limits.
        let mut transaction = self.begin(With::Anybody).await?;
        let rows = transaction.rows(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// The rows of one statement that is a transaction by itself, where statements stay prepared.
    pub(crate) async fn once(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Fault> {
        let mut held = Held::new(self.door.acquire().await?);
        let rows = timely(self.patience, statement.fetch_all(&mut **held.connection()?)).await;
        // What the server refuses leaves the connection as it was.
        if rows.as_ref().err().is_none_or(Fault::is_refusal) {
            held.give_back();
        }
        rows
    }

    /// The same on a connection that whoever asks has for itself, where there are enough.
    pub(crate) async fn once_on(
        &self,
        own: &mut Own,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Fault> {
        if !self.has_own {
            return self.once(statement).await;
        }
        let mut kept = match own.take(self.pool().options()) {
            Some(kept) => kept,
            None => Kept::new(self.door.acquire().await?.detach()),
        };
        let rows = timely(self.patience, statement.fetch_all(&mut kept.connection)).await;
        // What the server refuses leaves the connection as it was.
        if rows.as_ref().err().is_none_or(Fault::is_refusal) {
            kept.used = Instant::now();
            own.0 = Some(kept);
        }
        rows
    }

    /// Begins a transaction of READ COMMITTED. A dead connection is tried no further; nothing can
    /// have happened on it.
    ///
    /// # Errors
    /// [`Fault::NotServed`] for one that is [`With::Served`].
    pub(crate) async fn begin(&self, with: With) -> Result<Transaction, Fault> {
        let (transaction, told) = self.begin_told(with).await?;
        match told.iter().skip(1).try_for_each(|row| standing::served(&mut Columns::of(row))) {
            Ok(()) => Ok(transaction),
            Err(fault) => {
                transaction.give_up().await?;
                Err(fault)
            }
        }
    }

    /// The same, with what the server tells at the beginning.
    async fn begin_told(&self, with: With) -> Result<(Transaction, Vec<PgRow>), Fault> {
        let sql = &self.begins[with as usize];
        let mut tries = self.tries();
        loop {
            tries -= 1;
            let mut held = Held::new(self.door.acquire().await?);
            let begin = sqlx::raw_sql(AssertSqlSafe(Arc::clone(sql)).into_sql_str());
            match timely(self.patience, begin.fetch_all(&mut **held.connection()?)).await {
                Ok(told) => {
                    let (patience, is_prepared) = (self.patience, self.is_prepared);
                    return Ok((Transaction { held, patience, is_prepared }, told));
                }
                Err(fault) if fault.is_broken() && tries > 0 && !matches!(fault, Fault::Late) => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    fn tries(&self) -> u32 {
        self.pool().options().get_max_connections().saturating_add(FRESH)
    }
}

/// One statement sets what holds for the transaction: its limits, that nothing of another schema is
/// taken for PostgreSQL's own, and that statements are planned once, not for each number of rows
/// that they are given, and by the index, however few rows there are when that is done. What the
/// database is there for is read by a statement of its own, which sees what was committed when the
/// lock was had.
fn begin(with: With, patience: Duration) -> Arc<str> {
    let most = patience.as_millis();
    let lock = match with {
        With::Anybody => String::new(),
        With::Served => {
            format!(", pg_advisory_xact_lock_shared({DEPLOYMENT}); {}", standing::ASK)
        }
        With::Commits => format!(", pg_advisory_xact_lock_shared({DEPLOYMENT})"),
        With::Nobody => format!(", pg_advisory_xact_lock({DEPLOYMENT})"),
    };
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT \
         set_config('statement_timeout', '{most}', TRUE), \
         set_config('lock_timeout', '{most}', TRUE), \
         set_config('idle_in_transaction_session_timeout', '{most}', TRUE), \
         set_config('search_path', 'pg_catalog, pg_temp', TRUE), \
         set_config('plan_cache_mode', 'force_generic_plan', TRUE), \
         set_config('enable_seqscan', 'off', TRUE), set_config('jit', 'off', TRUE){lock}"
    )
    .into()
}

/// The server gives up first, and says why.
async fn timely<T>(
    patience: Duration,
    act: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Fault> {
    let patience = patience.saturating_add(Duration::from_secs(1));
    Ok(tokio::time::timeout(patience, act).await.map_err(|_| Fault::Late)??)
}

/// A connection that one caller keeps for one statement after another: with what goes back to a pool,
/// the pool asks the server each time whether it still answers. It came out of the pool, and does not
/// count there any more. It is not given back when a call is given up in the middle, nor after a fault
/// that says anything about it.
#[derive(Debug, Default)]
pub(crate) struct Own(Option<Kept>);

#[derive(Debug)]
struct Kept {
    connection: PgConnection,
    made: Instant,
    used: Instant,
}

impl Kept {
    fn new(connection: PgConnection) -> Self {
        let now = Instant::now();
        Self { connection, made: now, used: now }
    }
}

impl Own {
    /// The connection, unless it is as old, or was as long without use, as the pool allows.
    fn take(&mut self, options: &PoolOptions<Postgres>) -> Option<Kept> {
        let is_good = |kept: &Kept| {
            options.get_max_lifetime().is_none_or(|most| kept.made.elapsed() < most)
                && options.get_idle_timeout().is_none_or(|most| kept.used.elapsed() < most)
        };
        self.0.take().filter(is_good)
    }
}

/// A connection that is closed unless it is given back.
struct Held(Option<PoolConnection<Postgres>>);

impl Held {
    const fn new(connection: PoolConnection<Postgres>) -> Self {
        Self(Some(connection))
    }

    fn connection(&mut self) -> Result<&mut PoolConnection<Postgres>, Fault> {
        self.0.as_mut().ok_or(Fault::Sql(sqlx::Error::WorkerCrashed))
    }

    /// To the pool, for the next one.
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut connection) = self.0.take() {
            connection.close_on_drop();
        }
    }
}

/// A transaction; it is rolled back unless it is committed.
pub(crate) struct Transaction {
    held: Held,
    patience: Duration,
    is_prepared: bool,
}

impl Transaction {
    /// The rows that a statement answers.
    pub(crate) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, Fault> {
        let statement = statement.persistent(self.is_prepared);
        timely(self.patience, statement.fetch_all(&mut **self.held.connection()?)).await
    }

    /// Does something; answers how many rows it concerned.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<u64, Fault> {
        let statement = statement.persistent(self.is_prepared);
        let done = timely(self.patience, statement.execute(&mut **self.held.connection()?)).await?;
        Ok(done.rows_affected())
    }

    /// Does what takes no values.
    pub(crate) async fn say(&mut self, sql: &'static str) -> Result<(), Fault> {
        let connection = self.held.connection()?;
        timely(self.patience, sqlx::raw_sql(sql).execute(&mut **connection)).await?;
        Ok(())
    }

    /// Commits. Where that fails, nobody knows whether it was done.
    pub(crate) async fn commit(mut self) -> Result<(), Fault> {
        self.say("COMMIT").await?;
        self.held.give_back();
        Ok(())
    }

    /// Commits, and says where the answer to that is lost: what was written may be there.
    pub(crate) async fn keep(self) -> Result<(), Fault> {
        self.commit()
            .await
            .map_err(|fault| if fault.is_refusal() { fault } else { Fault::Lost(Box::new(fault)) })
    }

    /// Takes everything back and keeps the connection.
    pub(crate) async fn give_up(mut self) -> Result<(), Fault> {
        self.say("ROLLBACK").await?;
        self.held.give_back();
        Ok(())
    }
}
