//! Refresh tokens: every cell of the verdict table, end to end.

use std::sync::Arc;
use std::time::Duration;

use super::stage::{Stage, id_of};
use crate::config::ReusePolicy;
use crate::engine::{RefreshCase, Refreshed};
use crate::error::SessionError;
use crate::event::Action;
use crate::manager::SessionManager;
use crate::policy::Standing;
use crate::record::EndReason;
use crate::token::AttemptId;
use crate::verdict::{GRACE, RETRY_WINDOW};

const SECOND: Duration = Duration::from_secs(1);

fn attempt(name: &str) -> AttemptId {
    AttemptId::new(&format!("{name:-<32}")).unwrap()
}

fn text(refreshed: &Refreshed) -> String {
    refreshed.token.to_text().to_string()
}

/// Refreshes well; answers the successor.
async fn next(sessions: &SessionManager, token: &str) -> String {
    text(&sessions.refresh(token, None).await.unwrap())
}

async fn case(sessions: &SessionManager, token: &str, by: &AttemptId) -> Option<RefreshCase> {
    sessions.refresh(token, Some(by)).await.ok().map(|refreshed| refreshed.case)
}

fn assert_reuse(refused: &Result<Refreshed, SessionError>) {
    let is_reuse = matches!(refused, Err(SessionError::Ended { reason: EndReason::Reuse, .. }));
    assert!(is_reuse, "{refused:?}");
}

fn assert_stale(refused: &Result<Refreshed, SessionError>) {
    assert!(matches!(refused, Err(SessionError::Invalid)), "{refused:?}");
}

async fn assert_alive(stage: &Stage, token: &str) {
    assert_eq!(stage.truth(id_of(token)).await, Standing::Live);
}

/// 200 refreshes at once with one token: all are answered with one successor, after one bump.
pub async fn n200_refreshes_with_one_token_get_the_same_successor(stage: Stage) {
    let (token, stage) = (stage.refresh_token("ada").await, Arc::new(stage));
    let refreshes: Vec<_> = (0..200)
        .map(|_| {
            let (stage, token) = (Arc::clone(&stage), token.clone());
            tokio::spawn(async move { stage.sessions.refresh(&token, None).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for refresh in refreshes {
        answers.push(refresh.await.unwrap());
    }
    assert!(answers.iter().all(|answer| text(answer) == text(&answers[0])));
    let rotated = answers.iter().filter(|answer| answer.case == RefreshCase::Rotated);
    assert_eq!(rotated.count(), 1);
    assert_eq!(stage.record(id_of(&token)).await.lineage.generation, 2);
    let told = stage.actions(id_of(&token)).await;
    assert_eq!(told, [Action::SessionStarted, Action::SessionRefreshed]);
}

/// A lost answer is given again to the same attempt, for an hour and not longer.
pub async fn a_lost_refresh_is_answered_again_by_its_attempt_for_an_hour(stage: Stage) {
    let stage = stage.configured(|edit| edit.idle(None));
    let (token, mine) = (stage.refresh_token("ada").await, attempt("mine"));
    let lost = stage.sessions.refresh(&token, Some(&mine)).await.unwrap();
    stage.clock.advance(RETRY_WINDOW);
    let again = stage.restarted().refresh(&token, Some(&mine)).await.unwrap();
    assert_eq!((again.case, text(&again)), (RefreshCase::Retried, text(&lost)));
    stage.clock.advance(SECOND);
    assert_reuse(&stage.sessions.refresh(&token, Some(&mine)).await);
}

/// Beyond the grace, one attempt is answered 20 times and not more.
pub async fn a_lost_refresh_is_answered_again_twenty_times(stage: Stage) {
    let (token, mine) = (stage.refresh_token("ada").await, attempt("mine"));
    assert_eq!(case(&stage.sessions, &token, &mine).await, Some(RefreshCase::Rotated));
    for _ in 0..100 {
        assert_eq!(case(&stage.sessions, &token, &mine).await, Some(RefreshCase::Retried));
    }
    stage.clock.advance(GRACE + SECOND);
    for _ in 0..20 {
        assert_eq!(case(&stage.sessions, &token, &mine).await, Some(RefreshCase::Retried));
    }
    assert_reuse(&stage.sessions.refresh(&token, Some(&mine)).await);
}

/// Who does not have the attempt id is met with patience for the grace, and not longer.
pub async fn another_attempt_beyond_the_grace_is_reuse(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    assert_eq!(case(&stage.sessions, &token, &attempt("mine")).await, Some(RefreshCase::Rotated));
    stage.clock.advance(GRACE);
    let other = case(&stage.sessions, &token, &attempt("other")).await;
    assert_eq!(other, Some(RefreshCase::Concurrent));
    stage.clock.advance(SECOND);
    assert_reuse(&stage.sessions.refresh(&token, Some(&attempt("other"))).await);
}

/// The token before the current one gets the same successor again while nobody has shown it.
pub async fn a_refresh_within_the_grace_gets_the_same_successor(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    let first = next(&stage.sessions, &token).await;
    stage.clock.advance(GRACE);
    let again = stage.sessions.refresh(&token, None).await.unwrap();
    assert_eq!((again.case, text(&again)), (RefreshCase::Concurrent, first));
    stage.clock.advance(SECOND);
    assert_reuse(&stage.sessions.refresh(&token, None).await);
}

/// The token before one that an access token has shown to have arrived.
async fn superseded_and_seen(stage: &Stage) -> (String, SessionManager) {
    let token = stage.refresh_token("ada").await;
    next(&stage.sessions, &token).await;
    stage.rewrite(id_of(&token), |record| record.lineage.is_seen = true).await;
    (token, stage.restarted())
}

/// A refresh that lost a race ends nothing.
pub async fn a_refresh_token_whose_successor_was_seen_ends_nothing_within_the_grace(stage: Stage) {
    let (token, sessions) = superseded_and_seen(&stage).await;
    stage.clock.advance(GRACE);
    assert_stale(&sessions.refresh(&token, None).await);
    assert_alive(&stage, &token).await;
}

/// After the grace, a token whose successor has arrived is somebody else's.
pub async fn a_refresh_token_whose_successor_was_seen_is_reuse_after_the_grace(stage: Stage) {
    let (token, sessions) = superseded_and_seen(&stage).await;
    stage.clock.advance(GRACE + SECOND);
    assert_reuse(&sessions.refresh(&token, None).await);
}

/// A privilege change makes every token before it worthless at once.
pub async fn a_refresh_token_superseded_by_a_privilege_change_is_refused(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    let now = stage.sessions.now();
    let privilege = crate::verdict::Rotation::Privilege;
    let change = |record: &mut crate::record::Record| {
        let key = record.lineage.key_id;
        record.lineage.rotate(privilege, key, None, now);
    };
    stage.rewrite(id_of(&token), change).await;
    let sessions = stage.restarted();
    stage.clock.advance(GRACE);
    assert_stale(&sessions.refresh(&token, None).await);
    assert_alive(&stage, &token).await;
    stage.clock.advance(SECOND);
    assert_reuse(&sessions.refresh(&token, None).await);
}

/// A token older than the one before the current is reuse: its session ends, both lineages are
/// told, and the subject's other sessions live.
pub async fn reuse_ends_the_session_and_no_other_of_the_subject(stage: Stage) {
    let (oldest, other) = (stage.refresh_token("ada").await, stage.refresh_token("ada").await);
    let current = next(&stage.sessions, &next(&stage.sessions, &oldest).await).await;
    assert_reuse(&stage.sessions.refresh(&oldest, None).await);
    assert_reuse(&stage.sessions.refresh(&current, None).await);
    assert!(stage.sessions.refresh(&other, None).await.is_ok());
    let events = stage.events(id_of(&oldest)).await;
    let [.., told, ended] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&told.action, told.is_success), (&Action::RefreshReused, false));
    assert_eq!(told.details["presented_generation"], 1);
    assert_eq!(told.details["current_generation"], 3);
    assert_eq!((&ended.action, &ended.details["reason"]), (&Action::SessionEnded, &"reuse".into()));
    assert_eq!(stage.counted("ada").await, 1);
}

/// By policy, reuse sets the session aside instead.
pub async fn reuse_suspends_the_session_where_the_policy_says_so(stage: Stage) {
    let stage = stage.configured(|edit| edit.reuse(ReusePolicy::Suspend));
    let oldest = stage.refresh_token("ada").await;
    let current = next(&stage.sessions, &next(&stage.sessions, &oldest).await).await;
    for token in [&oldest, &current] {
        let refused = stage.sessions.refresh(token, None).await;
        assert!(matches!(refused, Err(SessionError::Suspended)), "{refused:?}");
    }
    let told = stage.actions(id_of(&oldest)).await;
    assert_eq!(told[3..], [Action::RefreshReused, Action::SessionSuspended]);
    stage.sessions.resume(id_of(&oldest), Some("op")).await.unwrap();
    assert!(stage.sessions.refresh(&current, None).await.is_ok());
}

/// A token that is ahead of the store shows that the store was restored: it is refused and told.
pub async fn a_refresh_token_ahead_of_the_store_is_an_alarm_and_ends_nothing(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    let before = stage.record(id_of(&token)).await.lineage;
    let ahead = next(&stage.sessions, &token).await;
    stage.rewrite(id_of(&token), |record| record.lineage = before).await;
    assert_stale(&stage.restarted().refresh(&ahead, None).await);
    assert_alive(&stage, &token).await;
    let told = stage.actions(id_of(&token)).await;
    assert_eq!(told.last(), Some(&Action::Risk("store_restored".into())));
}

/// Strict mode has no patience at all.
pub async fn a_refresh_without_grace_is_reuse_at_once(stage: Stage) {
    let stage = stage.configured(|edit| edit.grace(Duration::ZERO));
    let token = stage.refresh_token("ada").await;
    next(&stage.sessions, &token).await;
    assert_reuse(&stage.sessions.refresh(&token, None).await);
}

/// A new key makes the next token; a retired one has made none that is good.
pub async fn a_refresh_moves_to_the_new_key_and_a_retired_key_is_refused(stage: Stage) {
    let (token, other) = (stage.refresh_token("ada").await, stage.refresh_token("ada").await);
    let old = stage.keys.active_id();
    stage.keys.rotate().unwrap();
    let moved = next(&stage.sessions, &token).await;
    stage.keys.retire(old).unwrap();
    assert_stale(&stage.sessions.refresh(&other, None).await);
    assert_stale(&stage.sessions.refresh(&token, None).await);
    assert!(stage.sessions.refresh(&moved, None).await.is_ok());
}
