//! The suite of several processes on one store: what must be true of sessions whichever of them is
//! asked. [`nodes_suite!`](crate::nodes_suite) makes a `#[test]` of every function, for stores that
//! declare [`is_shared`](crate::store::Capabilities::is_shared).

pub mod agreeing;
pub mod apart;
pub mod heads;
pub mod together;
mod two;

use std::future::Future;

pub use two::{Node, Nodes};

use super::Fixture;

/// Plays `test` on two nodes over a fresh store.
pub fn play<T: Future<Output = ()>>(
    fixture: impl Fixture + 'static,
    test: impl FnOnce(Nodes) -> T,
) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(async { test(Nodes::new(fixture).await).await });
}

/// Makes a `#[test]` of every function of the suite of several nodes, each over a store that a
/// fixture of its own opens, made by the function given.
#[macro_export]
macro_rules! nodes_suite {
    ($make:expr) => {
        $crate::nodes_suite! { @tests $make, agreeing {
            an_end_elsewhere_bites_at_the_next_read
            an_end_elsewhere_bites_when_the_lease_lapses
            a_lease_counts_from_the_start_of_the_read
            time_spent_suspended_counts_against_the_lease
            a_load_that_races_an_end_elsewhere_is_thrown_away
            a_commit_that_races_one_elsewhere_is_not_held
            whoever_waits_for_the_end_hears_of_one_elsewhere
            what_was_set_aside_and_taken_back_elsewhere_is_no_longer_refused
            a_change_that_only_seems_to_change_nothing_is_made
            activity_on_any_node_counts_on_all
            many_who_catch_up_share_a_read
        } }
        $crate::nodes_suite! { @tests $make, heads {
            a_subject_disabled_elsewhere_is_out
            an_end_of_all_elsewhere_bites_and_spares_whom_it_spared
            a_role_taken_away_elsewhere_is_gone
            an_end_of_everybody_elsewhere_bites
            a_head_changed_while_a_session_is_loaded_bites
        } }
        $crate::nodes_suite! { @tests $make, apart {
            a_store_out_of_reach_is_an_error_once_the_lease_has_lapsed
            a_node_that_cannot_read_the_log_judges_by_the_store
            what_is_open_closes_where_nobody_can_say_whether_its_session_lives
            a_store_that_comes_back_is_not_run_over
            many_who_ask_for_one_session_share_a_load
            a_load_that_fails_is_an_error_for_all_who_wait
        } }
        $crate::nodes_suite! { @tests $make, together {
            n200_refreshes_over_two_nodes_get_one_successor
            updates_over_two_nodes_all_count
            no_save_on_another_node_undoes_a_sign_out
            a_node_that_writes_without_a_pause_outruns_nobody
            never_more_than_the_limit_over_two_nodes
            lists_of_both_nodes_equal_a_scan
            histories_over_two_nodes_are_linearizable
            histories_of_those_who_catch_up_are_linearizable
        } }
    };
    (@tests $make:expr, $module:ident { $($name:ident)* }) => {
        $(
            #[test]
            fn $name() {
                use $crate::conformance::nodes;
                nodes::play(($make)(), nodes::$module::$name);
            }
        )*
    };
}
