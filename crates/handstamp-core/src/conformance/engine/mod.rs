//! The suite that tests the engine over a store: what must be true of sessions, whatever keeps
//! them. [`engine_suite!`](crate::engine_suite) makes a `#[test]` of every function.

pub mod accesses;
pub mod answers;
pub mod clocks;
pub mod concurrency;
pub mod cookies;
pub mod heads;
pub mod holders;
pub mod log;
pub mod operators;
pub mod races;
pub mod refreshes;
mod schedule;
pub mod sign_ins;
mod stage;
pub mod time;
pub mod upgrades;

use std::future::Future;

pub use schedule::{SCHEDULES, SEED, Turns, in_every_schedule, in_schedules};
pub use stage::{START, Stage, Store, cookie_of, finish, id_of, reason_of, set_cookie};

use super::Fixture;

/// Plays `test` on one thread, on a stage over a fresh store.
pub fn play<T: Future<Output = ()>>(
    fixture: impl Fixture + 'static,
    test: impl FnOnce(Stage) -> T,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async { test(Stage::new(fixture).await).await });
}

/// Plays `test` on several threads, on a stage over a fresh store.
pub fn play_in_parallel<T: Future<Output = ()>>(
    fixture: impl Fixture + 'static,
    test: impl FnOnce(Stage) -> T,
) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.unwrap().block_on(async { test(Stage::new(fixture).await).await });
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
        $crate::engine_suite! { @tests $make, play_in_parallel, refreshes {
            n200_refreshes_with_one_token_get_the_same_successor
            a_lost_refresh_is_answered_again_by_its_attempt_for_an_hour
            a_lost_refresh_is_answered_again_twenty_times
            another_attempt_beyond_the_grace_is_reuse
            a_refresh_within_the_grace_gets_the_same_successor
            a_refresh_token_whose_successor_was_seen_ends_nothing_within_the_grace
            a_refresh_token_whose_successor_was_seen_is_reuse_after_the_grace
            a_refresh_token_superseded_by_a_privilege_change_is_refused
            reuse_ends_the_session_and_no_other_of_the_subject
            reuse_suspends_the_session_where_the_policy_says_so
            a_refresh_token_ahead_of_the_store_is_an_alarm_and_ends_nothing
            a_refresh_without_grace_is_reuse_at_once
            a_refresh_moves_to_the_new_key_and_a_retired_key_is_refused
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, cookies {
            n200_requests_when_a_cookie_is_due_make_one_rotation
            a_cookie_whose_successor_was_not_seen_is_good_and_gets_it_again
            a_cookie_whose_successor_was_seen_is_good_within_the_grace
            an_older_cookie_is_refused_with_one_event_a_minute
            an_older_cookie_ends_its_session_by_policy_alone
            a_cookie_superseded_by_a_privilege_change_is_refused_without_an_event
            a_cookie_ahead_of_the_store_is_an_alarm
            a_cookie_moves_to_the_new_key_at_next_sight
            a_cookie_of_a_retired_key_is_refused
            a_rotation_that_a_privilege_change_overtakes_gives_nothing_away
            a_refused_cookie_is_never_deleted
            a_refresh_token_without_its_prefix_is_no_cookie
            handles_of_one_request_agree_before_and_after_a_change
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, answers {
            a_change_whose_reply_is_lost_is_found_out
            a_change_that_never_arrived_is_an_error
            a_sign_in_whose_reply_is_lost_is_found_out
            a_sign_in_that_never_arrived_leaves_the_visitor_as_they_were
            a_sign_out_is_answered_by_what_became_of_it
            an_end_all_is_answered_by_what_became_of_it
            an_end_all_without_its_tombstones_is_no_error
            a_refresh_is_answered_by_what_became_of_it
            where_nobody_can_tell_the_answer_is_unknown
            a_change_that_comes_late_was_never_told_to_be_none
            a_sign_in_that_comes_late_was_never_told_to_be_none
            an_end_that_comes_late_was_never_told_to_be_none
            a_store_out_of_reach_makes_nobody_anonymous
            a_corrupt_record_costs_one_session
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, sign_ins {
            data_goes_over_by_the_merge_rule
            changes_not_committed_yet_go_over_too
            csrf_tokens_do_not_cross_a_sign_in
            nothing_crosses_from_one_user_to_another
            a_request_with_a_replaced_cookie_stores_nothing_and_sets_no_cookie
            a_sign_in_refused_by_the_limit_changes_nothing
            a_sign_in_of_a_disabled_subject_changes_nothing
            signing_in_again_without_a_new_session_kills_the_old_token
            a_dropped_sign_in_completes
            a_dropped_sign_out_completes
            two_first_commits_of_one_visitor_begin_one_session
            a_first_commit_beside_a_sign_in_leaves_them_signed_in
            the_session_before_is_dead_when_the_sign_in_is_answered
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, upgrades {
            j06_a_guest_becomes_a_user_with_its_data
            a_visitor_is_taken_over_from_by_the_merge_rule
            a_superseded_token_upgrades_only_within_the_grace
            a_token_that_is_no_good_upgrades_nobody
            an_upgrade_that_is_refused_leaves_the_guest
            a_request_with_a_session_takes_over_from_no_other
            a_sign_in_shortens_lifetimes_and_never_lengthens_them
            a_session_remembers_who_began_it_and_for_whom
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, accesses {
            an_access_token_of_a_session_in_use_costs_no_store_call
            an_access_token_outlives_a_refresh_and_no_privilege_change
            an_access_token_shows_that_its_refresh_token_arrived
            an_access_token_dies_with_its_session_by_whatever_ends_it
            an_access_token_ahead_of_the_store_is_an_alarm
            a_session_by_access_token_sets_no_cookie
            ending_the_others_replaces_only_a_cookie
            signing_out_everywhere_ends_this_one_too
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, holders {
            a_refresh_moves_the_idle_limit_only_by_what_the_client_tells
            activity_told_with_a_concurrent_refresh_counts
            a_token_of_any_generation_ends_its_session_and_hears_why
            b05_why_somebody_was_signed_out_is_a_lookup
            s05_a_step_up_for_a_holder_answers_the_new_token
            b08_a_step_up_takes_back_what_was_set_aside_until_then
            b08_a_step_up_takes_back_a_session_whose_token_was_reused
            extending_is_activity_and_sends_a_remembered_cookie_again
            extending_gives_no_token_away
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, operators {
            a_list_tells_how_each_session_stands
            a_page_of_live_sessions_is_filled_past_those_that_are_over
            many_sessions_end_together
            b07_many_sessions_are_set_aside_and_taken_back
            many_ends_tell_how_far_they_came
            s101_a_sign_in_that_is_refused_is_told
            whoever_follows_commits_is_woken
        } }
        $crate::engine_suite! { @tests $make, play, accesses {
            no_access_token_is_good_after_the_end
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, log {
            an_erased_subject_leaves_what_happened_and_nothing_personal
            an_erasure_that_was_cut_off_is_done_by_the_next
            old_events_lose_what_is_personal_and_go
            a_checkpoint_that_does_not_fit_is_named
            the_log_is_copied_in_pieces
        } }
        $crate::engine_suite! { @tests $make, play_in_parallel, heads {
            the_others_are_dead_before_their_tombstones_are_written
            the_spared_session_is_good_all_the_time
            ending_the_others_from_an_ended_session_ends_nobody
            disabling_ends_all_and_enabling_revives_nothing
            a_role_taken_away_is_gone_at_the_next_check
            a_suspended_session_is_refused_until_it_is_resumed
            ending_everybody_ends_all_and_bars_nobody
        } }
        $crate::engine_suite! { @tests $make, play, time {
            s25_an_idle_session_is_good_to_the_last_second_and_no_longer
            s26_the_absolute_limit_is_kept_to_the_second
            s26_activity_every_minute_carries_nobody_past_the_absolute_end
            s26_refresh_carries_nobody_past_the_absolute_end
            a_refresh_does_not_move_the_idle_limit
            s27_aal1_ends_after_30_days
            s28_aal2_ends_after_an_hour_idle_and_24_hours_in_all
            s29_aal3_ends_after_15_minutes_idle_and_12_hours_in_all
            s30_activity_starts_the_idle_lifetime_anew
            s30_what_is_no_activity_moves_no_limit
            s30_a_step_up_starts_both_lifetimes_anew
            s30_a_sign_in_that_keeps_the_session_starts_both_lifetimes_anew
            s30_the_stricter_limit_ends_the_session
            s31_assurance_is_that_of_the_sign_in_and_nothing_raises_it
            a_remembered_session_lives_by_its_own_limits
        } }
        $crate::engine_suite! { @tests $make, play, clocks {
            s25_no_history_of_activity_ends_anybody_early_or_late
            s34_a_step_of_the_wall_clock_revives_nobody_and_ends_nobody
            s34_time_spent_suspended_counts
            s34_a_restart_on_a_clock_set_back_revives_no_tombstone
            after_a_restart_the_idle_limit_is_late_by_the_slack_at_most
            activity_after_a_restart_is_exact_again
            a_cleanup_ends_nobody_before_their_time
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
            an_upgrade_and_an_end_agree_on_the_guest
            a_step_up_and_a_refresh_leave_one_good_token
        } }
    };
    (@tests $make:expr, $play:ident, $module:ident { $($name:ident)* }) => {
        $(
            #[test]
            fn $name() {
                use $crate::conformance::engine;
                engine::$play(($make)(), engine::$module::$name);
            }
        )*
    };
}
