//! How the suite gets at stores.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::id::SessionId;
use crate::record::Record;
use crate::store::{BoxFuture, SessionStore};

/// Gives the suite stores of one kind. Only [`open`](Self::open) must be there; each of the others
/// lets the suite see more.
pub trait Fixture: Send + Sync {
    /// Opens a fresh store that shares nothing with any other.
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>>;

    /// Closes `store`, of which this is the last handle, and opens its data again. A store that
    /// declares more than [`Durability::Memory`](crate::store::Durability::Memory) must have this.
    fn reopen(&self, store: Arc<dyn SessionStore>) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        drop(store);
        Box::pin(async { None })
    }

    /// Opens the data of `store` once more beside it, as another process would. A store that declares
    /// [`is_shared`](crate::store::Capabilities::is_shared) must have this.
    fn another<'a>(
        &'a self,
        store: &'a Arc<dyn SessionStore>,
    ) -> BoxFuture<'a, Option<Arc<dyn SessionStore>>> {
        let _ = store;
        Box::pin(async { None })
    }

    /// Damages what `store` keeps under `id` so that it cannot be read; tells whether it did.
    fn damage<'a>(
        &'a self,
        store: &'a Arc<dyn SessionStore>,
        id: SessionId,
    ) -> BoxFuture<'a, bool> {
        let _ = (store, id);
        Box::pin(async { false })
    }

    /// Opens a fresh store whose change log holds fewer than 100 changes.
    fn open_with_short_log(&self) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        Box::pin(async { None })
    }

    /// In how many orders each race of the engine's suite is played: 10,000 by default. Fewer are
    /// enough of a store that takes long to ask, where another shows that the engine is right.
    fn schedules(&self) -> u64 {
        super::engine::SCHEDULES
    }

    /// Puts something into `record` that the store cannot hold, such as a text too long for it;
    /// tells whether there is such a thing.
    fn spoil(&self, record: &mut Record) -> bool {
        let _ = record;
        false
    }
}

/// Runs one clause on a runtime of several threads; one that hangs fails after two minutes.
pub fn run(clause: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let limit = Duration::from_secs(120);
    let done =
        runtime.expect("a runtime").block_on(async { tokio::time::timeout(limit, clause).await });
    done.expect("the clause hangs");
}
