//! Databases in the server that tests of one process share.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, PgConnection};

use super::block_on;
use super::server::{MADE, OWNER, SHARED};
use crate::{Builder, PostgresStore};

/// Where the shared server has its socket.
pub fn shared_folder() -> &'static Path {
    SHARED.folder()
}

/// A database of its own in the shared server, with the schema; it is removed with this.
#[derive(Debug)]
pub struct Database {
    name: String,
}

impl Database {
    /// A copy of the one that has the schema; its key is its own.
    pub async fn new() -> Self {
        let database = Self::copy_of(MADE).await;
        let key = "UPDATE handstamp.deployment SET partition_key =
            decode(md5(random()::TEXT) || md5(random()::TEXT), 'hex');
            DELETE FROM handstamp.writers";
        database.run(key).await;
        database
    }

    /// One without the schema.
    pub async fn empty() -> Self {
        Self::copy_of("template0").await
    }

    async fn copy_of(template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        SHARED.create(&name, template).await;
        Self { name }
    }

    /// Its address.
    pub fn url(&self) -> String {
        SHARED.url(&self.name)
    }

    /// The address, for another user.
    pub fn url_of(&self, user: &str) -> String {
        self.url().replacen(OWNER, user, 1)
    }

    /// How a store on it is opened, with six connections.
    pub fn builder(&self) -> Builder {
        PostgresStore::builder(&self.url()).connections(6)
    }

    /// A store on it.
    pub async fn open(&self) -> PostgresStore {
        self.builder().open().await.unwrap()
    }

    /// Its name in the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Another program's hand in it; answers how many rows it concerned.
    pub async fn run(&self, sql: &str) -> u64 {
        SHARED.run(&self.name, sql).await
    }

    /// How many rows there are of what follows `FROM`.
    pub async fn count(&self, from: &str) -> usize {
        let sql = AssertSqlSafe(format!("SELECT 1 FROM {from}"));
        sqlx::raw_sql(sql).fetch_all(&mut self.connect().await).await.unwrap().len()
    }

    /// Makes a user without rights, if nobody has.
    pub async fn make_user(&self, user: &str, password: Option<&str>) {
        let password = password.map_or(String::new(), |it| format!("PASSWORD '{it}'"));
        let sql = format!(
            "DO $$ BEGIN CREATE ROLE {user} LOGIN {password};
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        self.run(&sql).await;
    }

    /// A connection to it.
    pub async fn connect(&self) -> PgConnection {
        SHARED.connect(&self.name).await
    }

    /// As if every process that wrote here had been dead for long.
    pub async fn bury(&self) {
        self.run("UPDATE handstamp.writers SET seen_at = now() - INTERVAL '1 hour'").await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        // There may be no runtime here, or one that must not be blocked.
        let drop =
            std::thread::spawn(move || block_on(async { SHARED.run("postgres", &sql).await }));
        let _ = drop.join();
    }
}
