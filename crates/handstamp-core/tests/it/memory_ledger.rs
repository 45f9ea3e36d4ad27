//! The memory ledger against the contract.

use std::sync::Arc;

use handstamp_core::conformance::{Books, LedgerFixture};
use handstamp_core::ledger::MemoryLedger;
use handstamp_core::store::{BoxFuture, MemoryStore};

struct Memory;

impl LedgerFixture for Memory {
    fn open(&self) -> BoxFuture<'_, Books> {
        Box::pin(async {
            let store = Arc::new(MemoryStore::new());
            Books { ledger: Arc::new(MemoryLedger::over(Arc::clone(&store) as _)), store }
        })
    }
}

handstamp_core::ledger_suite!(|| Memory);
