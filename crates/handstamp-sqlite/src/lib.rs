//! The embedded session store of Handstamp, on SQLite, and the ledger of a service beside it.
//!
//! One file, one process: [`SqliteStore::open`] locks it, and a second opener is told so. One
//! thread writes: it takes what is waiting, applies it in one transaction, and answers after the
//! transaction is on disk, so that concurrent changes share one sync. Other threads read, each on
//! its own connection. Files are readable by their owner only.
//!
//! ```no_run
//! # async fn open() -> Result<(), handstamp_sqlite::SqliteError> {
//! let store = handstamp_sqlite::SqliteStore::open("sessions.db").await?;
//! # drop(store);
//! # Ok(())
//! # }
//! ```

mod age;
mod bindings;
mod chains;
mod changes;
mod checkpoint;
mod commit;
mod connection;
mod content;
mod cursor;
mod erase;
mod error;
mod events;
mod fault;
mod files;
mod heads;
mod ledger;
mod list;
mod load;
mod lock;
mod open;
mod readers;
mod rows;
mod schema;
mod state;
mod store;
#[cfg(feature = "testing")]
mod testing;
mod writer;

pub use content::SqliteContent;
pub use error::SqliteError;
pub use open::{Builder, Synchronous};
pub use store::SqliteStore;
