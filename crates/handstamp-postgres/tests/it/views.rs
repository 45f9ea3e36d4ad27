//! The two views, as somebody with `psql` sees them.

use std::time::Duration;

use handstamp_core::chain::Sealer;
use handstamp_core::record::{Client, EndReason, Transport};
use handstamp_core::store::{Batch, Group, HeadChange, HeadTarget, SessionStore};
use handstamp_core::testing::ManualClock;
use handstamp_core::time::Timestamp;
use handstamp_core::{
    Begun, KeyRing, SessionConfig, SessionManager, SignIn, SignInFailure, Subject,
};
use sqlx::{AssertSqlSafe, Executor, Row, ValueRef};

use handstamp_postgres::testing::Database;

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
const DURATIONS: &str = "
-- Get session duration
SELECT user_id, 
       AVG(EXTRACT(EPOCH FROM (last_activity - created_at))/3600) as avg_hours
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
    database: Database,
    sessions: SessionManager,
    clock: std::sync::Arc<ManualClock>,
    sealer: Sealer,
}

impl Shop {
    async fn open() -> Self {
        let database = Database::new().await;
        // The views go by the clock of the machine.
        let clock = ManualClock::at(std::time::SystemTime::now().into());
        let (store, keys) = (database.open().await, KeyRing::generate().unwrap());
        let sealer = Sealer::new(keys.clone());
        let sessions = SessionManager::builder(store, SessionConfig::default(), keys)
            .clock(clock.clone())
            .maintenance(false)
            .build();
        Self { database, sessions, clock, sealer }
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
    async fn ask(&self, sql: &str) -> Vec<String> {
        let mut connection = self.database.connect().await;
        connection.execute("SET search_path = handstamp; SET timezone = 'UTC'").await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let text = |row: &sqlx::postgres::PgRow, at| {
            let cell = row.try_get_raw(at).unwrap();
            if cell.is_null() { "NULL".into() } else { cell.as_str().unwrap().to_owned() }
        };
        let mut rows: Vec<String> = rows
            .iter()
            .map(|row| (0..row.len()).map(|at| text(row, at)).collect::<Vec<_>>().join(" | "))
            .collect();
        rows.sort();
        rows
    }

    async fn is_active(&self, begun: &Begun) -> bool {
        let id = begun.record.id;
        let sql = format!("SELECT is_active FROM user_sessions WHERE session_token = '{id}'");
        match self.ask(&sql).await.as_slice() {
            [one] => one == "t",
            rows => panic!("one row each: {rows:?}"),
        }
    }

    async fn actions(&self) -> Vec<String> {
        let sql = "SELECT to_char(id, '000000'), action || CASE WHEN success THEN '' ELSE
            ' failed' END || coalesce(' ' || error_message, '') FROM session_logs";
        let rows = self.ask(sql).await;
        rows.iter().map(|row| row.split(" | ").nth(1).unwrap().to_owned()).collect()
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

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

#[tokio::test]
async fn f04_the_views_on_postgres_have_the_documented_columns_and_nothing_is_written_through_logs()
{
    let shop = Shop::open().await;
    let columns = async |view: &str| {
        let sql = format!(
            "SELECT string_agg(column_name, ',' ORDER BY ordinal_position)
             FROM information_schema.columns WHERE table_name = '{view}'"
        );
        shop.ask(&sql).await.remove(0)
    };
    assert_eq!(
        columns("user_sessions").await,
        "id,user_id,session_token,device_info,ip_address,user_agent,is_active,created_at,\
         last_activity,expires_at"
    );
    assert_eq!(
        columns("session_logs").await,
        "id,user_id,action,session_token,ip_address,user_agent,success,error_message,created_at"
    );
    let mut connection = shop.database.connect().await;
    for sql in [
        "DELETE FROM handstamp.user_sessions",
        "DELETE FROM handstamp.session_logs",
        "UPDATE handstamp.session_logs SET success = TRUE",
    ] {
        assert!(connection.execute(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn f04_a_session_is_shown_on_postgres_by_its_public_id_with_times_that_reports_can_use() {
    let shop = Shop::open().await;
    let begun = shop.begin("alice", "Phone").await;
    let id = begun.record.id.to_string();
    let sql = "SELECT id, user_id, session_token, device_info, ip_address, user_agent, is_active
               FROM user_sessions";
    let expected = format!("{id} | alice | {id} | Phone | 192.0.2.1 | Agent/1.0 | t");
    assert_eq!(shop.ask(sql).await, [expected]);
    let sql = "SELECT user_id, action, session_token, ip_address, user_agent, success
               FROM session_logs";
    let expected = format!("alice | login | {id} | 192.0.2.1 | Agent/1.0 | t");
    assert_eq!(shop.ask(sql).await, [expected]);
    let sql = "SELECT round(extract(epoch FROM created_at) * 1000),
                      round(extract(epoch FROM expires_at - last_activity)) FROM user_sessions";
    let (created, idle) = (begun.record.created_at, begun.record.due_at());
    let left = idle.since(begun.record.last_seen).as_secs();
    assert_eq!(shop.ask(sql).await, [format!("{} | {left}", created.as_millis())]);
}

#[tokio::test]
async fn f04_what_no_text_can_hold_spoils_no_report() {
    let shop = Shop::open().await;
    shop.begin("alice", "A").await;
    let client = Client { user_agent: Some("odd\0agent".into()), ..client("Bot", "192.0.2.7") };
    let reason = "wrong_password";
    let failure = SignInFailure { subject: None, identifier: None, reason, client };
    shop.sessions.sign_in_failed(failure).await.unwrap();
    let sql = "SELECT ip_address, user_agent FROM session_logs";
    assert_eq!(shop.ask(sql).await, ["192.0.2.1 | Agent/1.0", "192.0.2.7 | NULL"]);
}

#[tokio::test]
async fn f04_a_visitor_is_no_user_session_on_postgres() {
    let shop = Shop::open().await;
    let visitor = shop.sessions.start();
    visitor.set("cart", &1).unwrap();
    visitor.commit().await.unwrap();
    assert!(shop.ask("SELECT * FROM user_sessions").await.is_empty());
    assert_eq!(shop.actions().await, ["session_started"]);
}

#[tokio::test]
async fn f04_whatever_forbids_a_session_makes_it_inactive_on_postgres() {
    let shop = Shop::open().await;
    let (live, ended) = (shop.begin("alice", "A").await, shop.begin("alice", "B").await);
    shop.sessions.end(ended.record.id, EndReason::Logout, None).await.unwrap();
    assert_eq!((shop.is_active(&live).await, shop.is_active(&ended).await), (true, false));

    let aside = shop.begin("bob", "A").await;
    shop.sessions.suspend(aside.record.id, Some("op"), None).await.unwrap();
    assert!(!shop.is_active(&aside).await, "set aside");
    shop.sessions.resume(aside.record.id, Some("op")).await.unwrap();
    assert!(shop.is_active(&aside).await, "taken back");

    // Heads forbid before any tombstone is written.
    change(&shop, |target| HeadChange { disabled: Some(true), ..HeadChange::of(target) }).await;
    assert!(!shop.is_active(&live).await, "disabled");
    change(&shop, |target| HeadChange { disabled: Some(false), ..HeadChange::of(target) }).await;
    assert!(shop.is_active(&live).await, "enabled");
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
    let active = (shop.is_active(&live).await, shop.is_active(&aside).await);
    assert_eq!(active, (false, true), "another epoch");
    shop.sessions.end_everybody(Some("op")).await.unwrap();
    assert!(!shop.is_active(&aside).await, "another epoch of the deployment");
}

async fn change(shop: &Shop, change: impl Fn(HeadTarget) -> HeadChange) {
    let id = handstamp_core::id::ChangeId::from_bytes([1; 16]);
    let change = change(HeadTarget::Subject(alice()));
    let group = Group { head: Some(change), ..Group::new(id) };
    let batch = Batch::new(vec![group], shop.sealer.clone());
    shop.sessions.store().commit(batch).await.unwrap();
}

#[tokio::test]
async fn f04_a_session_past_its_time_is_inactive_on_postgres_before_it_is_cleaned_up() {
    let shop = Shop::open().await;
    let now = shop.sessions.now();
    shop.clock.set(now.minus(Duration::from_secs(30 * 86_400)));
    let old = shop.begin("alice", "A").await;
    assert!(!shop.is_active(&old).await, "due, and no tombstone yet");
    assert_eq!(shop.actions().await, ["login"]);
    shop.clock.set(now);
    shop.sessions.cleanup().await.unwrap();
    assert_eq!(shop.actions().await.last().unwrap(), "session_expired");
}

/// Two days of sign-ins: alice on two devices, bob on one, and failures.
async fn busy() -> (Shop, [String; 2]) {
    let shop = Shop::open().await;
    let today = shop.sessions.now();
    shop.clock.set(today.minus(Duration::from_secs(86_400)));
    let first = shop.begin("alice", "Phone").await;
    let day = async |at: Timestamp| {
        let sql = format!("SELECT DATE(to_timestamp({}))", at.as_seconds());
        shop.ask(&sql).await.remove(0)
    };
    let days = [day(shop.sessions.now()).await, day(today).await];
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
async fn f09_the_reports_of_sign_ins_devices_and_durations_run_on_postgres_as_they_stand() {
    let (shop, [yesterday, today]) = busy().await;
    assert_eq!(
        shop.ask(SIGN_INS).await,
        [
            format!("NULL | 11 | {today}"),
            format!("alice | 1 | {yesterday}"),
            format!("alice | 3 | {today}"),
            format!("bob | 4 | {today}"),
        ]
    );
    assert_eq!(shop.ask(BY_DEVICE).await, ["Laptop | 2", "Phone | 2"]);
    assert_eq!(shop.ask(DURATIONS).await, ["alice | 0.25000000000000000000"]);
}

#[tokio::test]
async fn f10_the_reports_of_failures_and_addresses_run_on_postgres_as_they_stand() {
    let (shop, _) = busy().await;
    assert_eq!(shop.ask(FAILED).await, ["NULL | 11", "bob | 3"]);
    assert_eq!(shop.ask(SUSPICIOUS).await, ["203.0.113.66 | 11"]);
}
