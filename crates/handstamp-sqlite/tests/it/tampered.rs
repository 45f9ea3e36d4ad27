//! Somebody writes to the database file; the check of the log names what they did.

use std::time::Duration;

use handstamp_core::chain::{Checkpoint, Flaw};
use handstamp_core::record::Client;
use handstamp_core::testing::ManualClock;
use handstamp_core::time::Timestamp;
use handstamp_core::{
    KeyRing, Retention, SessionConfig, SessionError, SessionManager, SignInFailure, Subject,
};

use crate::fixture::Place;

const DAY: Duration = Duration::from_secs(86_400);

/// Ten failed sign-ins, one a day, each in a batch of its own.
struct Log {
    place: Place,
    keys: KeyRing,
    clock: std::sync::Arc<ManualClock>,
    sessions: Option<SessionManager>,
}

impl Log {
    async fn of_ten_days() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
        let keys = KeyRing::generate().unwrap();
        let mut log = Self { place: Place::new(), keys, clock, sessions: None };
        log.open().await;
        for _ in 0..10 {
            log.fail().await;
            log.clock.advance(DAY);
        }
        log
    }

    async fn open(&mut self) {
        let store = self.place.open().await;
        let config = SessionConfig::default();
        let builder = SessionManager::builder(store, config, self.keys.clone());
        self.sessions = Some(builder.clock(self.clock.clone()).maintenance(false).build());
    }

    fn sessions(&self) -> &SessionManager {
        self.sessions.as_ref().unwrap()
    }

    async fn fail(&self) {
        let subject = Some(Subject::new("alice").unwrap());
        let client = Client { ip: Some([192, 0, 2, 1].into()), ..Client::default() };
        let failure = SignInFailure { subject, client, reason: "no", ..SignInFailure::default() };
        self.sessions().sign_in_failed(failure).await.unwrap();
    }

    /// Changes the file while the program is down, as if it had gone unnoticed.
    async fn meddle(&mut self, sql: &str) {
        self.sessions = None;
        let connection = rusqlite::Connection::open(self.place.path()).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        self.open().await;
    }

    async fn found_against(&self, checkpoints: &[Checkpoint]) -> Option<(u64, u64, Flaw)> {
        let check = self.sessions().verify_log_against(checkpoints).await.unwrap();
        check.first_bad.map(|bad| (bad.batch, bad.event, bad.why))
    }

    async fn found(&self) -> Option<(u64, u64, Flaw)> {
        self.found_against(&[]).await
    }

    async fn checkpoint(&self) -> Checkpoint {
        self.sessions().checkpoint().await.unwrap()
    }

    /// What is found once `sql` was run on the file.
    async fn after(sql: &str) -> Option<(u64, u64, Flaw)> {
        let mut log = Self::of_ten_days().await;
        assert_eq!(log.found().await, None);
        log.meddle(sql).await;
        let found = log.found().await;
        log.fail().await;
        assert_eq!(log.found().await, found, "going on mends nothing");
        found
    }
}

#[tokio::test]
async fn s106_a_changed_event_is_named() {
    let changed = Some((4, 4, Flaw::Changed));
    for change in [
        "is_success = 1",
        "at = at + 1",
        "subject = 'bob'",
        "error = NULL",
        "details = '{\"a\":1}'",
        "action = 'session.started'",
        "personal = '{\"ip\":\"203.0.113.1\"}'",
        "personal_hash = zeroblob(32)",
        "actor = 'nobody'",
    ] {
        let sql = format!("UPDATE events SET {change} WHERE number = 4");
        assert_eq!(Log::after(&sql).await, changed, "{change}");
    }
    assert_eq!(
        Log::after("UPDATE batches SET link = zeroblob(32) WHERE number = 4").await,
        changed
    );
}

#[tokio::test]
async fn s106_a_removed_event_or_batch_is_named() {
    let event = "DELETE FROM events WHERE number = 4";
    assert_eq!(Log::after(event).await, Some((4, 4, Flaw::Missing)));
    let batch = "DELETE FROM batches WHERE number = 4; DELETE FROM events WHERE number = 4";
    assert_eq!(Log::after(batch).await, Some((5, 5, Flaw::Missing)));
}

#[tokio::test]
async fn s106_events_in_another_order_are_named() {
    let swap = "UPDATE events SET place = 100 WHERE number = 4;
                UPDATE events SET place = 4, number = 4 WHERE number = 5;
                UPDATE events SET place = 5, number = 5 WHERE place = 100";
    assert_eq!(Log::after(swap).await, Some((4, 4, Flaw::Changed)));
    let added =
        "INSERT INTO events SELECT 100, writer, 11, x'00112233445566778899aabbccddeeff', at,
                 action, subject, session, actor, is_success, error, details, personal, salt,
                 personal_hash FROM events WHERE number = 10;
                 INSERT INTO batches SELECT writer, 11, key_id, link, 100, 1, 11, until_at
                 FROM batches WHERE number = 10";
    assert_eq!(Log::after(added).await, Some((11, 11, Flaw::Changed)), "one more");
}

#[tokio::test]
async fn s106_a_tail_that_was_cut_off_shows_against_a_checkpoint() {
    let mut log = Log::of_ten_days().await;
    let checkpoint = [log.checkpoint().await];
    log.meddle("DELETE FROM batches WHERE number > 7; DELETE FROM events WHERE number > 7").await;
    assert_eq!(log.found().await, None, "what is left verifies");
    assert_eq!(log.found_against(&checkpoint).await, Some((8, 8, Flaw::Tail)));
    for _ in 0..5 {
        log.fail().await;
    }
    assert_eq!(log.found_against(&checkpoint).await, Some((10, 10, Flaw::Rewritten)));
    log.meddle("DELETE FROM batches; DELETE FROM events").await;
    assert_eq!(log.found_against(&checkpoint).await, Some((1, 1, Flaw::Tail)), "all of it");
}

#[tokio::test]
async fn s106_an_unsigned_or_forged_cut_is_named() {
    let unsigned = "DELETE FROM events WHERE number <= 4; DELETE FROM batches WHERE number <= 4";
    assert_eq!(Log::after(unsigned).await, Some((5, 5, Flaw::Missing)));
    let forged =
        "INSERT INTO cuts SELECT writer, number, last_event, link, key_id, link, 4, until_at
                  FROM batches WHERE number = 4";
    let forged = format!("{forged}; {unsigned}");
    assert_eq!(Log::after(&forged).await, Some((4, 0, Flaw::Cut)));
}

#[tokio::test]
async fn s106_a_signed_cut_is_good_where_it_was_made_and_nowhere_else() {
    let mut log = Log::of_ten_days().await;
    let retention = Retention { events: Some(6 * DAY), personal: None };
    assert_eq!(log.sessions().retain(retention).await.unwrap().cut, 4);
    assert_eq!(log.found().await, None);
    log.meddle("DELETE FROM batches WHERE number < 7; DELETE FROM events WHERE number < 7").await;
    assert_eq!(log.found().await, Some((7, 7, Flaw::Missing)), "more is gone than was cut");
    log.meddle("UPDATE cuts SET batch = 6, event = 6").await;
    assert_eq!(log.found().await, Some((6, 0, Flaw::Cut)));
}

#[tokio::test]
async fn s106_what_does_not_verify_is_not_cut_off() {
    let mut log = Log::of_ten_days().await;
    log.meddle("UPDATE events SET subject = 'bob' WHERE number = 2").await;
    let retention = Retention { events: Some(DAY), personal: None };
    let retained = log.sessions().retain(retention).await.unwrap();
    let found = retained.first_bad.map(|bad| (bad.event, bad.why));
    assert_eq!((retained.cut, found), (0, Some((2, Flaw::Changed))));
    let mut log = Log::of_ten_days().await;
    log.meddle("UPDATE batches SET until_at = 0").await;
    let retained = log.sessions().retain(retention).await.unwrap();
    assert_eq!(retained.cut, 0, "the store's word for how old events are is not enough");
}

#[tokio::test]
async fn s106_an_unlisted_blank_is_named_also_where_a_mark_is_forged() {
    let blank = Some((4, 4, Flaw::Blank));
    let sql = "UPDATE events SET personal = NULL, salt = zeroblob(16) WHERE number = 4";
    assert_eq!(Log::after(sql).await, blank);
    assert_eq!(Log::after("UPDATE events SET personal = NULL WHERE number = 4").await, blank);
    for action in ["subject.erased", "personal.expired"] {
        let mark = format!(
            "INSERT INTO events SELECT 100, 1, 100, x'00112233445566778899aabbccddeeff', at,
             '{action}', subject, NULL, NULL, 1, NULL, '{{\"through\":{{\"1\":9}}}}', personal,
             salt, personal_hash FROM events WHERE number = 10"
        );
        assert_eq!(Log::after(&format!("{sql}; {mark}")).await, blank, "{action}");
    }
}

#[tokio::test]
async fn s106_a_mark_covers_nothing_that_came_after_it() {
    let mut log = Log::of_ten_days().await;
    let alice = Subject::new("alice").unwrap();
    log.sessions().erase_subject(&alice, None).await.unwrap();
    let retention = Retention { events: None, personal: Some(5 * DAY) };
    log.sessions().retain(retention).await.unwrap();
    assert_eq!(log.found().await, None);
    log.fail().await;
    let last = log.checkpoint().await.chains()[0];
    log.meddle("UPDATE events SET personal = NULL WHERE place = (SELECT max(place) FROM events)")
        .await;
    assert_eq!(log.found().await, Some((last.batch, last.event, Flaw::Blank)));
}

#[tokio::test]
async fn b06_an_erasure_is_done_only_once_the_log_of_the_database_is_empty_too() {
    let log = Log::of_ten_days().await;
    let reader = rusqlite::Connection::open(log.place.path()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let read = reader.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0));
    assert_eq!(read.unwrap(), 10);
    let alice = Subject::new("alice").unwrap();
    let early = log.sessions().erase_subject(&alice, None).await;
    assert!(matches!(early, Err(SessionError::Unknown(_))), "{early:?}");
    drop(reader);
    log.sessions().erase_subject(&alice, None).await.unwrap();
    let folder = log.place.path().parent().unwrap().read_dir().unwrap();
    for file in folder {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!content.windows(9).any(|at| at == b"192.0.2.1"));
    }
    assert_eq!(log.found().await, None);
}
