//! The two views, as somebody with the `sqlite3` shell sees them.

use std::time::Duration;

use handstamp_core::record::{Client, EndReason, Transport};
use handstamp_core::store::{Batch, Group, HeadChange, HeadTarget, SessionStore};
use handstamp_core::testing::ManualClock;
use handstamp_core::time::Timestamp;
use handstamp_core::{
    Begun, KeyRing, SessionConfig, SessionManager, SignIn, SignInFailure, Subject,
};
use rusqlite::types::Value;

use crate::fixture::Place;

/// The reports of the guide, as they stand there.
const SIGN_INS: &str = "
-- Get user login frequency
SELECT user_id, COUNT(*) as login_count, 
       DATE(created_at) as login_date
FROM session_logs 
WHERE action = 'login' 
GROUP BY user_id, DATE(created_at);
";
const BY_DEVICE: &str = "
-- Get active sessions by device
SELECT device_info, COUNT(*) as active_sessions
FROM user_sessions 
WHERE is_active = true 
GROUP BY device_info;
";
/// But for one line: SQLite has no `EXTRACT(EPOCH FROM …)`.
const DURATIONS: &str = "
-- Get session duration
SELECT user_id, 
       AVG((julianday(last_activity) - julianday(created_at)) * 24) as avg_hours
FROM user_sessions 
WHERE is_active = false 
GROUP BY user_id;
";
const FAILED: &str = "
-- Failed login attempts
SELECT user_id, COUNT(*) as failed_attempts
FROM session_logs 
WHERE action = 'login' AND success = false
GROUP BY user_id;
";
const SUSPICIOUS: &str = "
-- Suspicious IP activity
SELECT ip_address, COUNT(*) as login_count
FROM session_logs 
WHERE action = 'login' 
GROUP BY ip_address 
HAVING COUNT(*) > 10;
";

/// A manager, its clock, and another program's connection to its database.
struct Shop {
    place: Place,
    sessions: SessionManager,
    clock: std::sync::Arc<ManualClock>,
}

impl Shop {
    async fn open() -> Self {
        let place = Place::new();
        // The views go by the clock of the machine.
        let clock = ManualClock::at(std::time::SystemTime::now().into());
        let store = place.open().await;
        let sessions =
            SessionManager::builder(store, SessionConfig::default(), KeyRing::generate().unwrap())
                .clock(clock.clone())
                .maintenance(false)
                .build();
        Self { place, sessions, clock }
    }

    async fn begin(&self, subject: &str, device: &str) -> Begun {
        let client = client(device, "192.0.2.1");
        let sign_in = SignIn::new(subject).unwrap().client(client).transport(Transport::Token);
        self.sessions.begin(sign_in).await.unwrap()
    }

    async fn fail(&self, subject: Option<&str>, ip: &str) {
        let subject = subject.map(|name| Subject::new(name).unwrap());
        let client = client("Bot", ip);
        let reason = "wrong_password";
        let failure = SignInFailure { subject, identifier: Some("typed"), reason, client };
        self.sessions.sign_in_failed(failure).await.unwrap();
    }

    /// The rows that `sql` gives, as text.
    fn ask(&self, sql: &str) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.place.path()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let count = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells: Vec<_> = (0..count).map(|at| row.get(at).map(text).unwrap()).collect();
            Ok(cells.join(" | "))
        });
        let mut rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
        rows.sort();
        rows
    }

    fn is_active(&self, begun: &Begun) -> bool {
        let id = begun.record.id;
        let sql = format!("SELECT is_active FROM user_sessions WHERE session_token = '{id}'");
        match self.ask(&sql).as_slice() {
            [one] => one == "1",
            rows => panic!("one row each: {rows:?}"),
        }
    }

    fn actions(&self) -> Vec<String> {
        let sql = "SELECT json_array(id, action, success, error_message) FROM session_logs";
        let mut rows: Vec<(u64, String, u8, Option<String>)> =
            self.ask(sql).iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        rows.sort();
        let show = |(_, action, success, error): (_, String, u8, Option<String>)| {
            format!(
                "{action} {success}{}",
                error.map_or(String::new(), |error| format!(" {error}"))
            )
        };
        rows.into_iter().map(show).collect()
    }
}

fn client(device: &str, ip: &str) -> Client {
    Client {
        ip: Some(ip.parse().unwrap()),
        user_agent: Some("Agent/1.0".into()),
        device: Some(device.into()),
        ..Client::default()
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:.3}"),
        Value::Text(text) => text,
        Value::Blob(_) => "BLOB".into(),
    }
}

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

#[tokio::test]
async fn f04_the_views_have_the_documented_columns_and_nothing_can_be_written_through_them() {
    let shop = Shop::open().await;
    let columns = |view: &str| {
        let sql = format!("SELECT group_concat(name) FROM pragma_table_info('{view}')");
        shop.ask(&sql).remove(0)
    };
    assert_eq!(
        columns("user_sessions"),
        "id,user_id,session_token,device_info,ip_address,user_agent,is_active,created_at,\
         last_activity,expires_at"
    );
    assert_eq!(
        columns("session_logs"),
        "id,user_id,action,session_token,ip_address,user_agent,success,error_message,created_at"
    );
    let connection = rusqlite::Connection::open(shop.place.path()).unwrap();
    for sql in ["DELETE FROM user_sessions", "UPDATE session_logs SET success = 1"] {
        assert!(connection.execute(sql, []).is_err(), "{sql}");
    }
}

#[tokio::test]
async fn f04_a_session_is_shown_by_its_public_id_with_times_that_sqlite_reads() {
    let shop = Shop::open().await;
    let begun = shop.begin("alice", "Phone").await;
    let id = begun.record.id.to_string();
    let sql = "SELECT id, user_id, session_token, device_info, ip_address, user_agent, is_active
               FROM user_sessions";
    assert_eq!(shop.ask(sql), [format!("{id} | alice | {id} | Phone | 192.0.2.1 | Agent/1.0 | 1")]);
    let sql = "SELECT id, user_id, action, session_token, ip_address, user_agent, success
               FROM session_logs";
    assert_eq!(shop.ask(sql), [format!("1 | alice | login | {id} | 192.0.2.1 | Agent/1.0 | 1")]);
    let sql = "SELECT CAST(round((julianday(created_at) - 2440587.5) * 86400000) AS INTEGER),
                      CAST(round((julianday(expires_at) - julianday(last_activity)) * 86400) AS INTEGER)
               FROM user_sessions";
    let (created, idle) = (begun.record.created_at, begun.record.due_at());
    let left = idle.since(begun.record.last_seen).as_secs();
    assert_eq!(shop.ask(sql), [format!("{} | {left}", created.as_millis())]);
}

#[tokio::test]
async fn f04_a_visitor_is_no_user_session() {
    let shop = Shop::open().await;
    let visitor = shop.sessions.start();
    visitor.set("cart", &1).unwrap();
    visitor.commit().await.unwrap();
    assert!(shop.ask("SELECT * FROM user_sessions").is_empty());
    assert_eq!(shop.actions(), ["session_started 1"]);
}

#[tokio::test]
async fn f04_whatever_forbids_a_session_makes_it_inactive() {
    let shop = Shop::open().await;
    let (live, ended) = (shop.begin("alice", "A").await, shop.begin("alice", "B").await);
    shop.sessions.end(ended.record.id, EndReason::Logout, None).await.unwrap();
    assert_eq!((shop.is_active(&live), shop.is_active(&ended)), (true, false));

    let aside = shop.begin("bob", "A").await;
    shop.sessions.suspend(aside.record.id, Some("op"), None).await.unwrap();
    assert!(!shop.is_active(&aside), "set aside");
    shop.sessions.resume(aside.record.id, Some("op")).await.unwrap();
    assert!(shop.is_active(&aside), "taken back");

    // Heads forbid before any tombstone is written.
    change(&shop, |target| HeadChange { disabled: Some(true), ..HeadChange::of(target) }).await;
    assert!(!shop.is_active(&live), "disabled");
    change(&shop, |target| HeadChange { disabled: Some(false), ..HeadChange::of(target) }).await;
    assert!(shop.is_active(&live), "enabled");
    let bump = |target| {
        let ended = handstamp_core::record::Ended {
            at: Timestamp::default(),
            reason: EndReason::LogoutAll,
            by: None,
            successor: None,
        };
        HeadChange { bump_epoch: Some(ended), ..HeadChange::of(target) }
    };
    change(&shop, bump).await;
    assert_eq!((shop.is_active(&live), shop.is_active(&aside)), (false, true), "another epoch");
    shop.sessions.end_everybody(Some("op")).await.unwrap();
    assert!(!shop.is_active(&aside), "another epoch of the deployment");
}

async fn change(shop: &Shop, change: impl Fn(HeadTarget) -> HeadChange) {
    let id = handstamp_core::id::ChangeId::from_bytes([1; 16]);
    let change = change(HeadTarget::Subject(alice()));
    let group = Group { head: Some(change), ..Group::new(id) };
    let batch = Batch::new(vec![group], shop.place.sealer.clone());
    shop.sessions.store().commit(batch).await.unwrap();
}

#[tokio::test]
async fn f04_a_session_past_its_time_is_inactive_whether_or_not_it_was_cleaned_up() {
    let shop = Shop::open().await;
    let now = shop.sessions.now();
    shop.clock.set(now.minus(Duration::from_secs(30 * 86_400)));
    let old = shop.begin("alice", "A").await;
    assert!(!shop.is_active(&old), "due, and no tombstone yet");
    assert_eq!(shop.actions(), ["login 1"]);
    shop.clock.set(now);
    shop.sessions.cleanup().await.unwrap();
    assert_eq!(shop.actions().last().unwrap(), "session_expired 1");
}

#[tokio::test]
async fn f04_every_event_has_a_name_that_reports_can_use() {
    let shop = Shop::open().await;
    let (sessions, by) = (&shop.sessions, Some("op"));
    shop.fail(None, "192.0.2.9").await;
    let begun = shop.begin("alice", "A").await;
    sessions.refresh(&begun.token.to_text(), None).await.unwrap();
    sessions.end(begun.record.id, EndReason::Logout, None).await.unwrap();
    let second = shop.begin("alice", "B").await;
    sessions.end(second.record.id, EndReason::Revoked, by).await.unwrap();
    shop.begin("alice", "C").await;
    sessions.end_all(&alice(), None, EndReason::LogoutAll, None).await.unwrap();
    sessions.disable(&alice(), by).await.unwrap();
    let guest = sessions.begin(SignIn::new("g1").unwrap().guest()).await.unwrap();
    sessions.suspend(guest.record.id, by, None).await.unwrap();
    assert_eq!(
        shop.actions(),
        [
            "login 0 wrong_password",
            "login 1",
            "token_refresh 1",
            "logout 1",
            "login 1",
            "session_revoked 1",
            "login 1",
            "logout_all 1",
            "logout 1",
            "subject_disabled 1",
            "guest_login 1",
            "session_suspended 1",
        ]
    );
}

/// Two days of sign-ins: alice on two devices, bob on one, and failures.
async fn busy() -> (Shop, [String; 2]) {
    let shop = Shop::open().await;
    let today = shop.sessions.now();
    shop.clock.set(today.minus(Duration::from_secs(86_400)));
    let first = shop.begin("alice", "Phone").await;
    let day = |at: Timestamp| {
        let sql = format!("SELECT DATE({}, 'unixepoch')", at.as_seconds());
        shop.ask(&sql).remove(0)
    };
    let days = [day(shop.sessions.now()), day(today)];
    shop.clock.advance(Duration::from_secs(900));
    shop.sessions.store().touch(&[(first.record.id, shop.sessions.now())]).await.unwrap();
    shop.sessions.end(first.record.id, EndReason::Logout, None).await.unwrap();
    shop.clock.set(today);
    for device in ["Phone", "Phone", "Laptop"] {
        shop.begin("alice", device).await;
    }
    shop.begin("bob", "Laptop").await;
    for _ in 0..3 {
        shop.fail(Some("bob"), "203.0.113.7").await;
    }
    for _ in 0..11 {
        shop.fail(None, "203.0.113.66").await;
    }
    (shop, days)
}

#[tokio::test]
async fn f09_sign_ins_per_user_and_day_active_sessions_by_device_and_durations_are_plain_sql() {
    let (shop, [yesterday, today]) = busy().await;
    assert_eq!(
        shop.ask(SIGN_INS),
        [
            format!("NULL | 11 | {today}"),
            format!("alice | 1 | {yesterday}"),
            format!("alice | 3 | {today}"),
            format!("bob | 4 | {today}"),
        ]
    );
    assert_eq!(shop.ask(BY_DEVICE), ["Laptop | 2", "Phone | 2"]);
    assert_eq!(shop.ask(DURATIONS), ["alice | 0.250"]);
}

#[tokio::test]
async fn f10_failed_sign_ins_and_suspicious_addresses_are_plain_sql() {
    let (shop, _) = busy().await;
    assert_eq!(shop.ask(FAILED), ["NULL | 11", "bob | 3"]);
    assert_eq!(shop.ask(SUSPICIOUS), ["203.0.113.66 | 11"]);
}
