//! The suite that tests a store against the contract, one function per clause.
//!
//! A store runs all of it with one line; each clause becomes a `#[test]` of its name:
//!
//! ```
//! use std::sync::Arc;
//!
//! use handstamp_core::conformance::Fixture;
//! use handstamp_core::store::{BoxFuture, MemoryStore, SessionStore};
//!
//! struct Memory;
//!
//! impl Fixture for Memory {
//!     fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
//!         Box::pin(async { Arc::new(MemoryStore::new()) as _ })
//!     }
//! }
//!
//! handstamp_core::conformance_suite!(|| Memory);
//! # fn main() {}
//! ```
//!
//! What a store declares of itself ([`Capabilities`](crate::store::Capabilities)) is tested as
//! declared; what its fixture can do beyond opening it is used where it can.
//!
//! # Panics
//! A clause that does not hold panics, as tests do, and says what it saw.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "these functions are tests: failing is what they are for"
)]

mod age;
mod bindings;
mod changes;
mod cursors;
pub mod engine;
mod erasing;
mod events;
mod fixture;
mod groups;
mod happened;
mod heads;
mod history;
mod inserts;
mod ledger;
pub mod linear;
mod listing;
mod loading;
pub mod nodes;
mod operations;
mod portable;
mod recorded;
mod reference;
mod replaces;
mod reports;
pub mod sample;
mod surviving;
mod world;

pub use age::*;
pub use bindings::*;
pub use changes::*;
pub use cursors::*;
pub use erasing::*;
pub use events::*;
pub use fixture::{Fixture, run};
pub use groups::*;
pub use heads::*;
pub use history::*;
pub use inserts::*;
pub use ledger::*;
pub use listing::*;
pub use loading::*;
pub use operations::random_operations_agree_with_the_reference;
pub use portable::*;
pub use recorded::recorded_histories_are_linearizable;
pub use replaces::*;
pub use reports::*;
pub use surviving::*;
pub use world::World;

/// Makes one `#[test]` for each clause of the store contract, each on a fixture of its own, made
/// by the function given.
#[macro_export]
macro_rules! conformance_suite {
    ($make:expr) => {
        $crate::conformance_suite! { $make =>
            c01_load_answers_in_the_order_asked
            c02_what_was_applied_is_read_back_unchanged
            c03_a_record_that_cannot_be_read_spoils_no_other
            c04_a_group_is_applied_whole_or_not_at_all
            c05_an_insert_never_overwrites
            c06_an_insert_is_stamped
            c07_no_session_begins_for_a_disabled_subject
            c08_never_more_live_than_the_limit
            c09_a_replace_needs_the_version_it_was_made_from
            c10_a_replace_of_nothing_creates_nothing
            c11_a_tombstone_never_changes
            c12_a_head_forbids_all_but_the_end
            c13_last_seen_never_moves_back
            c14_the_live_count_follows
            c15_a_head_change_comes_first_and_spares_who_adopts
            c16_what_a_head_has_ended_stays_ended
            c17_what_depends_on_a_group_not_applied_is_skipped
            c18_what_cannot_be_stored_spoils_no_other
            c19_an_applied_change_can_be_found_out
            c20_a_subjects_sessions_are_listed_once_each
            c21_a_scan_filters_as_declared
            c22_lists_agree_with_the_records_after_any_history
            c23_a_foreign_cursor_is_refused
            c24_a_touch_moves_forward_only
            c25_a_touch_revives_nothing
            c26_due_lists_the_earliest_first
            c27_purge_removes_old_tombstones_only
            c28_events_are_logged_with_their_change
            c29_events_can_stand_alone
            c30_the_chain_verifies
            c31_events_are_listed_newest_first
            c32_the_change_log_tells_each_change_once_in_order
            c33_a_cursor_older_than_the_log_is_a_gap
            c34_a_binding_lives_beside_its_record
            c35_what_was_acknowledged_survives
            c36_the_partition_key_stays
            c37_concurrent_changes_all_count
            c38_the_cursor_is_at_the_end_of_the_log
            c39_ends_say_how_far_a_chain_had_come
            c40_a_subject_is_erased_and_nothing_else
            c41_all_personal_parts_are_erased_by_age
            c42_a_chain_is_cut_and_goes_on
            c44_what_was_overtaken_is_made_again
            c43_a_census_counts_the_live_and_the_ended
        }
    };
    ($make:expr => $($clause:ident)*) => {$(
        #[test]
        fn $clause() {
            $crate::conformance::run(async {
                let fixture = ($make)();
                $crate::conformance::$clause(&fixture).await;
            });
        }
    )*};
}
