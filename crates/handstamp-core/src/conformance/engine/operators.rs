//! What operators see and do: lists with a verdict, many sessions at once, the change log.

use super::stage::{START, Stage, id_of};
use crate::config::LimitStrategy;
use crate::error::SessionError;
use crate::event::Action;
use crate::id::{SessionId, Subject};
use crate::manager::ListedPage;
use crate::policy::Standing;
use crate::record::EndReason;
use crate::roles::Roles;
use crate::sign_in::SignIn;
use crate::store::{Cursor, EventFilter, Filter, Page};
use crate::testing::{Call, Failure};

fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

async fn begin(stage: &Stage, who: &str, count: usize) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(stage.begin(who).await.record.id);
        stage.clock.advance(std::time::Duration::from_millis(1));
    }
    ids
}

fn ids(page: &ListedPage) -> Vec<SessionId> {
    page.sessions.iter().map(|one| one.record.id).collect()
}

async fn scan(stage: &Stage, is_live: Option<bool>) -> ListedPage {
    let filter = Filter { is_live, ..Filter::default() };
    stage.sessions.scan(&filter, &Page::first(100)).await.unwrap()
}

/// Live is what is live by record and head, whether or not the tombstone is written; each session
/// comes with its standing and the roles that it has.
pub async fn a_list_tells_how_each_session_stands(stage: Stage) {
    let [live, aside, forbidden] = [("ada", 1), ("bob", 1), ("eve", 1)]
        .map(|(who, _)| SignIn::new(who).unwrap().roles(Roles::new(["a", "b"]).unwrap()));
    let live = stage.sessions.begin(live).await.unwrap().record.id;
    let aside = stage.sessions.begin(aside).await.unwrap().record.id;
    let forbidden = stage.sessions.begin(forbidden).await.unwrap().record.id;
    stage.sessions.suspend(aside, Some("op"), None).await.unwrap();
    let role = Roles::new(["a"]).unwrap();
    stage.sessions.set_roles(&subject("ada"), Some(role.clone()), None).await.unwrap();
    // The head moves, the tombstone does not come about.
    stage.gate.fail_next(Call::BySubject, Failure::Unavailable);
    stage.sessions.disable(&subject("eve"), None).await.unwrap();
    assert!(!stage.record(forbidden).await.is_tombstone());
    let mut expected = vec![live, aside];
    let mut found = ids(&scan(&stage, Some(true)).await);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let over = scan(&stage, Some(false)).await;
    assert_eq!(ids(&over), [forbidden]);
    let Standing::Over { ended, is_written: false } = &over.sessions[0].standing else {
        panic!("{over:?}")
    };
    assert_eq!(ended.reason, EndReason::Disabled);
    assert_eq!(scan(&stage, None).await.sessions.len(), 3);
    let own = stage.sessions.list(&subject("ada"), false, &Page::default()).await.unwrap();
    assert_eq!(
        (own.sessions[0].standing.clone(), own.sessions[0].roles.clone()),
        (Standing::Live, role)
    );
    assert!(
        stage
            .sessions
            .list(&subject("eve"), false, &Page::default())
            .await
            .unwrap()
            .sessions
            .is_empty()
    );
    assert_eq!(
        stage.sessions.list(&subject("eve"), true, &Page::default()).await.unwrap().sessions.len(),
        1
    );
}

/// Pages are filled although what is over lies between what is live, and give each session once.
pub async fn a_page_of_live_sessions_is_filled_past_those_that_are_over(stage: Stage) {
    let mut live = Vec::new();
    for _ in 0..4 {
        live.extend(begin(&stage, "ada", 1).await);
        begin(&stage, "eve", 3).await;
    }
    stage.gate.fail_next(Call::BySubject, Failure::Unavailable);
    stage.sessions.end_all(&subject("eve"), None, EndReason::Admin, None).await.unwrap();
    let filter = Filter { is_live: Some(true), ..Filter::default() };
    let (mut found, mut page) = (Vec::new(), Page::first(3));
    loop {
        let listed = stage.sessions.scan(&filter, &page).await.unwrap();
        found.push(ids(&listed));
        match listed.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    live.reverse();
    assert_eq!(found.concat(), live);
    assert_eq!(found[0].len(), 3, "the first page is full");
}

/// Many sessions end in a few commits, each told of, and each counted once.
pub async fn many_sessions_end_together(stage: Stage) {
    let sessions = begin(&stage, "ada", 100).await;
    stage.sessions.end(sessions[0], EndReason::Logout, None).await.unwrap();
    let before = stage.gate.counts().commit;
    let mut wanted = sessions.clone();
    wanted.extend([sessions[1], SessionId::from_bytes([9; 18])]);
    let bulk = stage.sessions.end_these(&wanted, EndReason::Admin, Some("op")).await;
    assert!(bulk.fault.is_none());
    assert_eq!(bulk.done, sessions[1..]);
    assert!(stage.gate.counts().commit - before < 20, "they share commits");
    assert_eq!((stage.live("ada").await.len(), stage.counted("ada").await), (0, 0));
    let told = stage.events(sessions[5]).await;
    let last = told.last().unwrap();
    assert_eq!((&last.action, last.actor.as_deref()), (&Action::SessionEnded, Some("op")));
}

/// Shows B07: sessions that were set aside together are taken back together, but for those that
/// were set aside before or have ended since.
pub async fn b07_many_sessions_are_set_aside_and_taken_back(stage: Stage) {
    let sessions = begin(&stage, "ada", 4).await;
    stage.sessions.suspend(sessions[0], Some("other"), None).await.unwrap();
    let aside = stage.sessions.suspend_these(&sessions, Some("op"), Some("undo 1")).await;
    assert_eq!(aside.done, sessions[1..]);
    assert!(stage.live("ada").await.is_empty());
    stage.sessions.end(sessions[1], EndReason::Admin, None).await.unwrap();
    let back = stage.sessions.resume_these(&aside.done, Some("op")).await;
    assert_eq!(back.done, sessions[2..]);
    assert_eq!(stage.live("ada").await.len(), 2);
    assert_eq!(stage.truth(sessions[0]).await, Standing::Suspended);
}

/// Where the store fails on the way, what was done is told, and doing it again ends the rest.
pub async fn many_ends_tell_how_far_they_came(stage: Stage) {
    let sessions = begin(&stage, "ada", 3).await;
    stage.gate.set_down(true);
    let bulk = stage.sessions.end_these(&sessions, EndReason::Admin, None).await;
    assert!(bulk.done.is_empty());
    assert!(matches!(bulk.fault, Some(SessionError::Unavailable(_))), "{bulk:?}");
    stage.gate.set_down(false);
    let bulk = stage.sessions.end_these(&sessions, EndReason::Admin, None).await;
    assert_eq!((bulk.done.len(), bulk.fault.is_none()), (3, true));
}

/// Whoever proved who they are and was let in nowhere is in the log (ASVS 16.3.1).
pub async fn s101_a_sign_in_that_is_refused_is_told(stage: Stage) {
    let stage = stage.configured(|edit| edit.limit(Some(1)).limit_strategy(LimitStrategy::Deny));
    begin(&stage, "ada", 1).await;
    stage.sessions.disable(&subject("eve"), None).await.unwrap();
    for (who, error, owasp) in [
        ("ada", "LIMIT_REACHED", "excess_sessions_exceeded"),
        ("eve", "SUBJECT_DISABLED", "authn_login_fail"),
    ] {
        assert!(stage.sessions.begin(who).await.is_err());
        stage.sessions.shutdown().await.unwrap();
        let filter = EventFilter { actions: vec![Action::SignInRefused], ..EventFilter::default() };
        let told = stage.all_events(filter).await.pop().unwrap();
        assert_eq!((told.subject.as_ref().unwrap().as_str(), told.is_success), (who, false));
        assert_eq!((told.error.as_deref(), told.owasp_name()), (Some(error), Some(owasp)));
    }
}

/// Whoever follows commits is woken once the engine knows what was committed, and reads on from the
/// cursor that it had.
pub async fn whoever_follows_commits_is_woken(stage: Stage) {
    let mut commits = stage.sessions.commits();
    let start = stage.sessions.cursor().await.unwrap();
    let read = |cursor: Cursor| {
        let store = stage.sessions.store().clone();
        async move { store.changes(&cursor, 100).await.unwrap() }
    };
    let id = id_of(&stage.cookie("ada").await);
    commits.changed().await.unwrap();
    let seen = read(start).await;
    assert_eq!((seen.changes.len(), seen.has_gap), (1, false));
    commits.borrow_and_update();
    stage.sessions.end(id, EndReason::Logout, None).await.unwrap();
    commits.changed().await.unwrap();
    assert_eq!(read(seen.cursor).await.cursor, stage.sessions.cursor().await.unwrap());
    commits.borrow_and_update();
    let event = stage.sessions.event(Action::AccessDenied, &Default::default()).unwrap();
    assert_eq!(event.at, START);
    stage.sessions.tell(vec![event]).await.unwrap();
    commits.changed().await.unwrap();
    let filter = EventFilter { actions: vec![Action::AccessDenied], ..EventFilter::default() };
    assert_eq!(stage.all_events(filter).await.len(), 1);
}
