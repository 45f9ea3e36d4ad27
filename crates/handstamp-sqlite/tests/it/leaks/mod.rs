//! No token, key or proof is in the database, its log, what is logged, shown or told.

mod logs;
mod secrets;

use std::error::Error;
use std::fmt::{Debug, Write};
use std::time::Duration;

use handstamp_core::chain::Sealer;
use handstamp_core::config::SessionConfig;
use handstamp_core::record::{EndReason, Transport};
use handstamp_core::store::{Filter, Page, SessionStore};
use handstamp_core::testing::ManualClock;
use handstamp_core::time::Timestamp;
use handstamp_core::token::{AttemptId, Token};
use handstamp_core::{
    CookieAction, CookieValue, Finish, KeyRing, Presented, Session, SessionManager, SignIn, Subject,
};
use handstamp_sqlite::SqliteStore;

use logs::Logs;
use secrets::Secrets;

/// A run of everything that sessions do, with what was issued and what was shown.
struct Run {
    sessions: SessionManager,
    clock: std::sync::Arc<ManualClock>,
    secrets: Secrets,
    shown: String,
}

impl Run {
    fn show(&mut self, what: &dyn Debug) {
        writeln!(self.shown, "{what:?} {what:#?}").unwrap();
    }

    fn show_error<E: Error>(&mut self, error: &E) {
        self.show(error);
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            writeln!(self.shown, "{error}").unwrap();
            cause = error.source();
        }
    }

    /// Ends a request as middleware does; answers its cookie.
    async fn finish(&mut self, session: &Session) -> Option<String> {
        let csrf = session.csrf_token();
        self.secrets.add_whole(&csrf);
        let finish = session.finish(true);
        self.show(&finish);
        if let Finish::Commit(commit) = finish {
            commit.await.unwrap();
        }
        let outgoing = session.outgoing();
        self.show(&outgoing);
        self.show(session);
        self.show(&session.record());
        if let Some(visitor) = &outgoing.pre_session {
            self.secrets.add_whole(visitor);
        }
        let CookieAction::Set { value, .. } = outgoing.cookie else { return None };
        self.secrets.add_token(&value);
        self.show(&Token::parse(&value));
        Some(value.to_string())
    }

    async fn request(&mut self, cookie: &str) -> Session {
        let presented = Presented {
            cookie: CookieValue::One(cookie.as_bytes()),
            pre_session: Some(cookie),
            client: Default::default(),
        };
        self.show(&presented);
        let session = self.sessions.open(presented);
        session.resolve().await.unwrap();
        if let Some(refused) = session.refusal() {
            self.show_error(&handstamp_core::SessionError::from(refused));
        }
        session
    }

    async fn browser(&mut self, n: usize) {
        let session = self.sessions.start();
        session.set("cart", &n).unwrap();
        session.flash("note", "hello").unwrap();
        let visitor = self.finish(&session).await.unwrap();
        let session = self.request(&visitor).await;
        session.login(format!("user {}", n % 3)).await.unwrap();
        let first = self.finish(&session).await.unwrap();
        let session = self.request(&first).await;
        session.regenerate().await.unwrap();
        let second = self.finish(&session).await.unwrap();
        // Superseded, within and beyond the grace; forged; of a purged session.
        self.request(&first).await;
        self.clock.advance(Duration::from_secs(40));
        self.request(&first).await;
        self.request(&flipped(&second, 40)).await;
        self.request(&flipped(&second, 10)).await;
        self.request(&second[1..]).await;
        self.show_error(&self.sessions.load(&first).await.unwrap_err());
        self.show_error(&session.get::<String>("cart").unwrap_err());
        let session = self.request(&second).await;
        match n % 3 {
            0 => session.logout().await.unwrap(),
            1 => drop(session.end_others().await.unwrap()),
            _ => session.step_up(&["otp"]).await.unwrap(),
        }
        self.finish(&session).await;
        self.request(&visitor).await;
    }

    async fn device(&mut self, n: usize) {
        let sign_in = SignIn::new(format!("user {}", n % 3)).unwrap();
        let begun = self.sessions.begin(sign_in.transport(Transport::Token)).await.unwrap();
        self.show(&begun);
        let first = begun.token.to_text();
        self.secrets.add_token(&first);
        let name = format!("attempt-{n:0>4}-qmx7tz3vkd9wpfhy2rbn6jcg");
        self.secrets.add_whole(&name);
        let attempt = AttemptId::new(&name);
        self.show(&attempt);
        for _ in 0..2 {
            let refreshed = self.sessions.refresh(&first, attempt.as_ref()).await.unwrap();
            self.show(&refreshed);
            self.secrets.add_token(&refreshed.token.to_text());
        }
        self.show_error(&self.sessions.refresh(&flipped(&first, 10), None).await.unwrap_err());
        self.clock.advance(Duration::from_secs(40));
        // Reuse.
        self.show_error(&self.sessions.refresh(&first, None).await.unwrap_err());
    }

    async fn operate(&mut self, subject: &Subject) {
        let by = Some("operator");
        self.sessions.end_all(subject, None, EndReason::Admin, by).await.unwrap();
        self.sessions.disable(subject, by).await.unwrap();
        let refused = self.sessions.begin(subject.clone()).await.unwrap_err();
        self.show_error(&refused);
        self.sessions.enable(subject, by).await.unwrap();
        self.sessions.keys().rotate().unwrap();
        self.sessions.cleanup().await.unwrap();
        let (sessions, keys) = (self.sessions.clone(), self.sessions.keys().clone());
        self.show(&sessions);
        self.show(&(&keys, keys.active(), Sealer::new(keys.clone()), sessions.store().meta()));
        self.show(sessions.config());
    }
}

/// A token of which one character is another: with 40 left it is in the check, with 10 in the
/// proof.
fn flipped(token: &str, left: usize) -> String {
    let (before, last) = token.split_at(token.len() - left);
    let other = if last.starts_with('A') { "B" } else { "A" };
    format!("{before}{other}{}", &last[1..])
}

fn add_keys(secrets: &mut Secrets, keys: &KeyRing) {
    let json: serde_json::Value = serde_json::from_str(&keys.to_json().unwrap()).unwrap();
    for key in json["keys"].as_array().unwrap() {
        secrets.add_whole(key["secret"].as_str().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_stored_logged_shown_or_told() {
    let logs = Logs::default();
    tracing::subscriber::set_global_default(logs.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let config = SessionConfig::production().edit().end_on_cookie_reuse(false).build().unwrap();
    let sessions = SessionManager::builder(store, config, KeyRing::generate().unwrap());
    let sessions = sessions.clock(clock.clone()).build();
    let mut run = Run { sessions, clock, secrets: Secrets::default(), shown: String::new() };
    for n in 0..12 {
        run.browser(n).await;
        run.device(n).await;
        if n % 4 == 3 {
            run.operate(&Subject::new("user 1").unwrap()).await;
        }
    }
    add_keys(&mut run.secrets, &run.sessions.keys().clone());
    told(&mut run).await;
    let Run { sessions, secrets, shown, .. } = run;
    look_into_files(folder.path(), &secrets);
    let store = std::sync::Arc::downgrade(sessions.store());
    drop(sessions);
    while store.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
    look_into_files(folder.path(), &secrets);
    let logged = logs.text();
    assert!(logged.contains("forged or mistyped"), "what is logged was not collected: {logged}");
    assert_eq!(secrets.find_printed(&logged), None, "in what is logged");
    assert_eq!(secrets.find_printed(&shown), None, "in what is shown");
    assert!(secrets.count > 100, "{} secrets", secrets.count);
    println!("{} secrets in {} KiB shown", secrets.count, shown.len() >> 10);
}

/// Events and records, as they are listed.
async fn told(run: &mut Run) {
    let (store, page) = (run.sessions.store().clone(), Page::first(100_000));
    let events = store.events(&Default::default(), &page).await.unwrap().events;
    assert!(events.len() > 50, "{} events", events.len());
    for event in &events {
        run.show(event);
        let json = serde_json::to_string(&(&event.details, &event.personal)).unwrap();
        run.shown.push_str(&json);
    }
    let records = store.scan(&Filter::default(), &page).await.unwrap();
    run.show(&records);
}

fn look_into_files(folder: &std::path::Path, secrets: &Secrets) {
    let mut bytes = 0;
    for file in folder.read_dir().unwrap() {
        let path = file.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        assert_eq!(secrets.find(&content), None, "in {}", path.display());
        bytes += content.len();
    }
    assert!(bytes > 100_000, "{bytes} bytes in the files");
}
