//! The calls of a store, and what can be done to them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! calls {
    ($($call:ident $field:ident $method:literal;)*) => {
        /// A kind of call to a store.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Call {
            $(#[doc = concat!("[`", $method, "`](crate::store::SessionStore::", $method, ").")] $call,)*
        }

        /// How often each kind of call was made.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct Counts {
            $(#[doc = concat!("Calls of `", $method, "`.")] pub $field: u64,)*
        }

        impl Counts {
            /// All calls together.
            pub const fn total(&self) -> u64 {
                0 $(+ self.$field)*
            }
        }

        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $($field: AtomicU64,)*
        }

        impl Counters {
            pub(super) fn add(&self, call: Call) {
                let counter = match call {
                    $(Call::$call => &self.$field,)*
                };
                counter.fetch_add(1, Ordering::SeqCst);
            }

            pub(super) fn read(&self) -> Counts {
                Counts { $($field: self.$field.load(Ordering::SeqCst),)* }
            }
        }
    };
}

calls! {
    Load load "load";
    Heads heads "heads";
    Commit commit "commit";
    BySubject by_subject "by_subject";
    Scan scan "scan";
    Census census "census";
    Touch touch "touch";
    Due due "due";
    Purge purge "purge";
    Events events "events";
    Append append "append";
    Sealed sealed "sealed";
    Writers writers "writers";
    Ends ends "ends";
    Cuts cuts "cuts";
    Erase erase "erase";
    Cut cut "cut";
    Changes changes "changes";
    Cursor cursor "cursor";
    Binding binding "binding";
    Bind bind "bind";
}

/// On which side of the inner call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum When {
    /// The store has not been asked yet.
    Before,
    /// The store has done it, the reply is on its way.
    After,
}

/// How a call fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// The store is not asked; the answer is [`StoreError::Unavailable`](crate::store::StoreError).
    Unavailable,
    /// The store is not asked; the answer is [`StoreError::Unknown`](crate::store::StoreError).
    RequestLost,
    /// Of a commit: the answer is [`StoreError::Unknown`](crate::store::StoreError), and the store is
    /// asked when the test has it [`deliver`](super::GateStore::deliver) what comes late. Another call
    /// is lost.
    RequestLate,
    /// The store is asked and does it; the answer is
    /// [`StoreError::Unknown`](crate::store::StoreError).
    ReplyLost,
}
