//! What a process says that has just taken over.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::record::EndReason;
use handstamp_core::roles::Roles;
use handstamp_core::store::MemoryStore;
use handstamp_core::time::{ManualClock, Timestamp};
use handstamp_core::{KeyRing, SessionConfig, SessionManager, SignIn, Subject};
use handstamp_protocol::feed::{FeedLine, Snapshot};

use super::Feed;

const LIFE: Duration = Duration::from_secs(1800);

fn manager() -> (SessionManager, Arc<ManualClock>) {
    let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
    let keys = KeyRing::generate().unwrap();
    let builder = SessionManager::builder(MemoryStore::new(), SessionConfig::development(), keys);
    (builder.clock(Arc::clone(&clock)).build(), clock)
}

async fn begin(sessions: &SessionManager, subject: &str, roles: &[&str]) -> String {
    let roles = Roles::new(roles.iter().copied()).unwrap();
    let begun = sessions.begin(SignIn::new(subject).unwrap().roles(roles)).await.unwrap();
    begun.record.id.to_string()
}

/// What a feed that begins now tells whoever asks.
async fn told_anew(sessions: &SessionManager) -> Snapshot {
    let feed = Feed::new(sessions, LIFE).unwrap();
    tokio::select! {
        () = feed.run(sessions, std::future::pending()) => panic!("it stopped"),
        snapshot = feed.snapshot() => snapshot.unwrap(),
    }
}

#[tokio::test]
async fn b03_a_process_that_takes_over_knows_what_its_predecessor_told() {
    let (sessions, _) = manager();
    let [ended, aside, cut, whole] = [
        begin(&sessions, "a", &[]).await,
        begin(&sessions, "b", &[]).await,
        begin(&sessions, "c", &["editor", "reader"]).await,
        begin(&sessions, "c", &["reader"]).await,
    ];
    sessions.end(ended.parse().unwrap(), EndReason::Logout, None).await.unwrap();
    sessions.suspend(aside.parse().unwrap(), None, None).await.unwrap();
    let (c, d) = (Subject::new("c").unwrap(), Subject::new("d").unwrap());
    let narrowed = Some(Roles::new(["reader"]).unwrap());
    sessions.set_roles(&c, narrowed, None).await.unwrap();
    sessions.end_all(&d, None, EndReason::LogoutAll, None).await.unwrap();
    let Snapshot { lines, .. } = told_anew(&sessions).await;
    for expected in [
        FeedLine::ended(&*ended),
        FeedLine::generation(&*aside, 2),
        FeedLine::generation(&*cut, 2),
        FeedLine::subject("d", 1),
    ] {
        assert!(lines.contains(&expected), "{expected:?} in {lines:?}");
    }
    assert!(!lines.iter().any(|line| format!("{line:?}").contains(&whole)));
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[tokio::test]
async fn b03_what_happened_longer_ago_than_a_token_lives_is_left_out() {
    let (sessions, clock) = manager();
    let id = begin(&sessions, "a", &[]).await;
    sessions.end(id.parse().unwrap(), EndReason::Logout, None).await.unwrap();
    assert_eq!(told_anew(&sessions).await.lines.len(), 1);
    clock.advance(LIFE + Duration::from_secs(1));
    assert_eq!(told_anew(&sessions).await.lines, []);
    let moved = u64::try_from(sessions.now().as_millis() / 1000).unwrap();
    sessions.end_everybody(None).await.unwrap();
    clock.advance(LIFE + Duration::from_secs(1));
    assert_eq!(told_anew(&sessions).await.lines, [FeedLine::deployment(moved)], "an epoch stays");
}

#[tokio::test]
async fn a_log_that_was_cut_is_made_good_from_the_audit_log() {
    let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
    let store = MemoryStore::new().with_change_log(1);
    let keys = KeyRing::generate().unwrap();
    let builder = SessionManager::builder(store, SessionConfig::development(), keys);
    let sessions = builder.clock(clock).build();
    let feed = Feed::new(&sessions, LIFE).unwrap();
    let snapshot = async {
        feed.snapshot().await.unwrap();
        for name in ["a", "b", "c"] {
            let id = begin(&sessions, name, &[]).await;
            sessions.end(id.parse().unwrap(), EndReason::Logout, None).await.unwrap();
        }
        feed.snapshot().await.unwrap()
    };
    tokio::select! {
        () = feed.run(&sessions, std::future::pending()) => panic!("it stopped"),
        snapshot = snapshot => assert_eq!(snapshot.lines.len(), 3),
    }
}
