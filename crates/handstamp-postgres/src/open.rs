//! Opening a store.

use std::time::Duration;

use handstamp_core::id::PartitionKey;
use handstamp_core::store::{Capabilities, Durability, Meta};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::watch;

use crate::desk::Desk;
use crate::error::PostgresError;
use crate::fault::Fault;
use crate::link::Link;
use crate::rows::Columns;
use crate::seat::{LEASE, Seat};
use crate::store::PostgresStore;
use crate::tasks::Tasks;
use crate::wake::Bell;
use crate::{clock, files, schema};

const CONNECTIONS: u32 = 10;
const KEEP_CHANGES: u32 = 100_000;
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the pool comes from. No `Debug`: an address may hold a password.
#[derive(Clone)]
enum From {
    Pool(PgPool),
    Url(String),
}

/// How a store is to be opened; made by [`PostgresStore::builder`].
#[derive(Clone)]
pub struct Builder {
    from: From,
    connections: u32,
    patience: Duration,
    keep_changes: u32,
    is_prepared: bool,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("connections", &self.connections)
            .field("patience", &self.patience)
            .field("keep_changes", &self.keep_changes)
            .field("is_prepared", &self.is_prepared)
            .finish_non_exhaustive()
    }
}

impl Builder {
    const fn new(from: From) -> Self {
        let (connections, patience) = (CONNECTIONS, PATIENCE);
        let (keep_changes, is_prepared) = (KEEP_CHANGES, true);
        Self { from, connections, patience, keep_changes, is_prepared }
    }

    pub(crate) fn of_url(url: &str) -> Self {
        Self::new(From::Url(url.to_owned()))
    }

    pub(crate) const fn of_pool(pool: PgPool) -> Self {
        Self::new(From::Pool(pool))
    }

    /// The most connections, at least 2. 10 by default. From 4 on, one of them is for commits alone.
    /// Of no effect where the application brings its pool.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(2);
        self
    }

    /// How long to wait for a statement, for a lock, or for a connection. 5 seconds by default; the
    /// unit is milliseconds, at least 1. What is not done by then is given up, and the answer is an
    /// error.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.max(Duration::from_millis(1));
        self
    }

    /// How many commits of each node the change log keeps, at least. 100,000 by default. Whoever
    /// follows it and falls further behind is told of a gap and starts afresh.
    #[must_use]
    pub fn keep_changes(mut self, commits: u32) -> Self {
        self.keep_changes = commits.max(1);
        self
    }

    /// Whether statements stay prepared in a connection. They do by default. `false` is for a pooler
    /// that hands connections on between transactions and knows nothing of prepared statements
    /// (PgBouncer before 1.21, or without `max_prepared_statements`): reads are transactions then
    /// and take three round trips rather than one.
    #[must_use]
    pub const fn prepared(mut self, is_prepared: bool) -> Self {
        self.is_prepared = is_prepared;
        self
    }

    /// Opens the store; makes its schema where that is missing, and brings up an older one.
    ///
    /// # Errors
    /// [`PostgresError`], whose variants say what to do.
    pub async fn open(self) -> Result<PostgresStore, PostgresError> {
        let (link, durability) = self.link().await?;
        schema::migrate(&link).await?;
        if let Err(fault) = schema::make_partitions(&link).await {
            tracing::warn!(%fault, "a month ahead has no partition yet; without one its events lie elsewhere");
        }
        let partition_key = partition_key(&link).await?;
        let clock = clock::read(&link).await?;
        let seat = Seat::take(&link).await?;
        let (bell, heard) = (Bell::default(), watch::Sender::new(0));
        let desk = Desk::new(link.clone(), seat, i64::from(self.keep_changes), bell.clone());
        let meta = Meta { partition_key, writer: seat.writer };
        let capabilities =
            Capabilities { durability, is_shared: true, has_filters: true, is_transactional: true };
        let store = PostgresStore::new(link.clone(), desk, meta, capabilities, heard, clock);
        store.start(Tasks::start(bell.work(link)));
        Ok(store)
    }

    /// The way to the server, which was found to be one that can be used.
    pub(crate) async fn link(&self) -> Result<(Link, Durability), PostgresError> {
        let pool = self.pool().await?;
        let most = match self.from {
            From::Pool(_) => pool.options().get_max_connections(),
            From::Url(_) => self.connections,
        };
        let link = Link::new(pool, self.patience, self.is_prepared).with_own(most >= ENOUGH);
        let durability = ask_server(&link).await?;
        Ok((link, durability))
    }

    async fn pool(&self) -> Result<PgPool, PostgresError> {
        let url = match &self.from {
            From::Pool(pool) => return Ok(pool.clone()),
            From::Url(url) => url,
        };
        let is_ours = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !is_ours {
            return Err(PostgresError::Address("neither postgres:// nor postgresql://".into()));
        }
        let options: PgConnectOptions = url.parse().map_err(Fault::Sql)?;
        // Poolers know of no other parameter at the start, and no number here has fractions.
        let options = options.extra_float_digits(None).application_name("handstamp");
        let capacity = if self.is_prepared { STATEMENTS } else { 0 };
        let options = options.statement_cache_capacity(capacity);
        if files::are_read(&options) {
            files::check(&options)?;
        }
        let options = match self.tried(options.clone()).await {
            Ok(options) => options,
            Err(fault) => {
                // The server may have wanted to encrypt, and it is a file of ours that is missing.
                if matches!(fault, Fault::Sql(_)) {
                    files::check(&options)?;
                }
                return Err(fault.into());
            }
        };
        Ok(PgPoolOptions::new()
            .max_connections(self.connections - u32::from(self.connections >= ENOUGH))
            .acquire_timeout(self.patience)
            // A statement that meets a dead connection goes to another by itself.
            .test_before_acquire(false)
            .connect_lazy_with(options))
    }

    /// `options` with limits, or without them where who stands in between takes none. One connection
    /// is made by itself: the pool would not say why it cannot make any.
    async fn tried(&self, options: PgConnectOptions) -> Result<PgConnectOptions, Fault> {
        if self.is_prepared {
            let limited = self.limited(options.clone());
            match self.connect(&limited).await {
                Ok(()) => return Ok(limited),
                Err(fault) if fault.is_of_options() => {
                    tracing::warn!(%fault, "a pooler takes no options: nothing but the settings of its user limits how long PostgreSQL goes on with a statement that was given up");
                }
                Err(fault) => return Err(fault),
            }
        }
        self.connect(&options).await.map(|()| options)
    }

    async fn connect(&self, options: &PgConnectOptions) -> Result<(), Fault> {
        let first = sqlx::ConnectOptions::connect(options);
        let first = tokio::time::timeout(self.patience, first).await.map_err(|_| Fault::Late)?;
        let _ = sqlx::Connection::close(first?).await;
        Ok(())
    }

    /// What holds for statements outside of transactions as well. The server gives up first, and goes
    /// on with nothing for somebody who is gone.
    fn limited(&self, options: PgConnectOptions) -> PgConnectOptions {
        let most = self.patience.as_millis().max(1).to_string();
        options.options([
            ("statement_timeout", &*most),
            ("lock_timeout", &*most),
            ("client_connection_check_interval", "1000"),
            ("search_path", "pg_catalog"),
        ])
    }
}

/// From so many connections on, one is for commits alone: another may be listening, and two are left.
const ENOUGH: u32 = 4;

/// Statements that a connection remembers: all of ours, and lists by the filters in use.
const STATEMENTS: usize = 200;

/// What an acknowledged commit survives, as the server is set. A server that cannot be used is
/// refused.
async fn ask_server(link: &Link) -> Result<Durability, PostgresError> {
    let sql =
        "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',
        current_setting('server_encoding') = 'UTF8',
        current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'";
    let rows = link.rows(|| sqlx::query(sql)).await?;
    let mut columns = Columns::of(rows.first().ok_or(Fault::Stored("settings"))?);
    if columns.next("is_read_only")? {
        return Err(PostgresError::ReadOnly);
    }
    if !columns.next::<bool>("is_utf8")? {
        return Err(PostgresError::Encoding);
    }
    let is_synced = columns.next("is_synced")?;
    Ok(if is_synced { Durability::Synced } else { Durability::Process })
}

async fn partition_key(link: &Link) -> Result<PartitionKey, Fault> {
    let sql = "SELECT partition_key FROM handstamp.deployment";
    let rows = link.rows(|| sqlx::query(sql)).await?;
    let row = rows.first().ok_or(Fault::Stored("partition_key"))?;
    Columns::of(row).bytes("partition_key").map(PartitionKey::from_bytes)
}

/// How often a process says that it lives.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(LEASE / 4);
