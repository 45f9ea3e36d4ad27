//! The session store of Handstamp for several nodes, on PostgreSQL 14 or newer, and the ledger of a
//! service beside it.
//!
//! Any number of processes may use one database at once. A batch of changes is one
//! round trip where nobody else is at the same, whatever its size, and four more where somebody is;
//! loading is one. Everything lies in the schema `handstamp`,
//! so it may share the database, and the pool, of the application. Nothing needs the session of the
//! server to last longer than a transaction, so a pooler may stand in between.
//!
//! ```no_run
//! # async fn open() -> Result<(), handstamp_postgres::PostgresError> {
//! let store = handstamp_postgres::PostgresStore::open("postgres://app@db/shop").await?;
//! # drop(store);
//! # Ok(())
//! # }
//! ```

mod age;
mod bindings;
mod chains;
mod changes;
mod clock;
mod commit;
mod conditions;
mod content;
mod cursor;
mod desk;
mod door;
mod erase;
mod error;
mod events;
mod fault;
mod files;
mod known;
mod ledger;
mod link;
mod list;
mod load;
mod memory;
mod open;
mod rows;
mod schema;
mod seat;
mod store;
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
mod wake;
mod write;

pub use content::PostgresContent;
pub use error::PostgresError;
pub use open::Builder;
pub use store::PostgresStore;
