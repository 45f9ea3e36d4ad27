//! The suite that tests the engine over a store: what must be true of sessions, whatever keeps
//! them. [`engine_suite!`](crate::engine_suite) makes a `#[test]` of every function.

pub mod concurrency;
pub mod races;
mod schedule;
mod stage;

use std::future::Future;

pub use schedule::{SCHEDULES, SEED, Turns, in_every_schedule, in_schedules};
pub use stage::{START, Stage, Store, cookie_of, reason_of};

use super::Fixture;

/// Plays `test` on one thread, on a stage over a fresh store.
pub fn play<T: Future<Output = ()>>(fixture: &dyn Fixture, test: impl FnOnce(Stage) -> T) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(async { test(Stage::new(fixture.open().await)).await });
}

/// Plays `test` on several threads, on a stage over a fresh store.
pub fn play_in_parallel<T: Future<Output = ()>>(
    fixture: &dyn Fixture,
    test: impl FnOnce(Stage) -> T,
) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build();
    runtime.unwrap().block_on(async { test(Stage::new(fixture.open().await)).await });
}

/// Makes a `#[test]` of every function of the engine's suite, each over a store that a fixture of
/// its own opens, made by the function given.
#[macro_export]
macro_rules! engine_suite {
    ($make:expr) => {
        $crate::engine_suite! { @tests $make, play_in_parallel, concurrency {
            n64_updates_at_once_sum_up
            n64_keys_set_at_once_are_all_there
            n64_writers_share_a_few_commits
            no_job_is_lost_when_the_committer_runs_dry
        } }
        $crate::engine_suite! { @tests $make, play, races {
            a_save_in_flight_never_undoes_a_logout
            end_all_and_sign_in_agree_on_who_is_in
            nobody_signs_in_past_a_disable
            never_more_than_the_limit_when_all_above_are_refused
            never_more_than_the_limit_when_the_oldest_make_room
            never_more_than_the_limit_when_the_next_to_expire_make_room
            a_privilege_change_with_requests_in_flight_ends_nothing
            a_touch_never_undoes_an_end
            a_cache_fill_never_revives_what_ends
        } }
    };
    (@tests $make:expr, $play:ident, $module:ident { $($name:ident)* }) => {
        $(
            #[test]
            fn $name() {
                use $crate::conformance::engine;
                engine::$play(&($make)(), engine::$module::$name);
            }
        )*
    };
}
