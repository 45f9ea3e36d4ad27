//! Where the engine's tests play: a manager over a gated store, with a clock set by hand.

use std::sync::Arc;
use std::time::Duration;

use crate::chain::Sealer;
use crate::config::{SessionConfig, SessionConfigBuilder};
use crate::conformance::Fixture;
use crate::error::SessionError;
use crate::event::{Action, Event};
use crate::id::{ChangeId, SessionId, Subject};
use crate::key::KeyRing;
use crate::manager::{Begun, SessionManager};
use crate::policy::{self, LastSeen, Standing};
use crate::record::{Client, EndReason, Record};
use crate::session::{CookieAction, CookieValue, Finish, Presented, Session};
use crate::sign_in::SignIn;
use crate::store::{
    Batch, EpochRule, EventFilter, Found, Group, Loaded, MemoryStore, Outcome, Page, RecordChange,
    SessionStore,
};
use crate::testing::{GateStore, ManualClock};
use crate::time::Timestamp;
use crate::token::Token;

/// A store of any kind.
pub type Store = Arc<dyn SessionStore>;

/// When every test begins.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A manager over a gated store, with a clock set by hand and no background work.
pub struct Stage {
    fixture: Box<dyn Fixture>,
    /// The gate before the store.
    pub gate: GateStore<Store>,
    /// The time.
    pub clock: Arc<ManualClock>,
    /// The key ring.
    pub keys: KeyRing,
    /// The settings of [`sessions`](Self::sessions).
    pub config: SessionConfig,
    /// The manager.
    pub sessions: SessionManager,
}

impl Stage {
    /// A stage over a fresh store, with the default settings.
    pub async fn new(fixture: impl Fixture + 'static) -> Self {
        let store = fixture.open().await;
        let (gate, clock) = (GateStore::new(store), ManualClock::at(START));
        let keys = KeyRing::generate().unwrap();
        // Small, so that a test may make many managers.
        let config = SessionConfig::default().edit().cache_bytes(4 << 20).build().unwrap();
        let sessions = manager(&gate, &clock, &keys, &config);
        // On a shared store the cache is trusted once the log has been read.
        sessions.catch_up().await.unwrap();
        let fixture = Box::new(fixture);
        Self { fixture, gate, clock, keys, config, sessions }
    }

    /// A manager with the same keys over another store, in memory.
    pub fn elsewhere(&self) -> SessionManager {
        let gate = GateStore::new(Arc::new(MemoryStore::new()) as Store);
        manager(&gate, &self.clock, &self.keys, &self.config)
    }

    /// The same stage with other settings.
    #[must_use]
    pub fn configured(
        mut self,
        edit: impl FnOnce(SessionConfigBuilder) -> SessionConfigBuilder,
    ) -> Self {
        self.config = edit(self.config.edit()).build().unwrap();
        self.sessions = self.restarted();
        self
    }

    /// A manager as a restarted process would have it: the same store, an empty cache.
    pub fn restarted(&self) -> SessionManager {
        manager(&self.gate, &self.clock, &self.keys, &self.config)
    }

    /// Signs `who` in, outside any request.
    pub async fn begin(&self, who: &str) -> Begun {
        self.sessions.begin(who).await.unwrap()
    }

    /// Signs `who` in; answers the value of their cookie.
    pub async fn cookie(&self, who: &str) -> String {
        cookie_of(&self.begin(who).await)
    }

    /// Signs `who` in with a refresh token; answers it.
    pub async fn refresh_token(&self, who: &str) -> String {
        let sign_in = SignIn::new(who).unwrap().transport(crate::record::Transport::Token);
        cookie_of(&self.sessions.begin(sign_in).await.unwrap())
    }

    /// A visitor for whom `value` was stored under `key`; answers the value of their cookie.
    pub async fn visitor(&self, key: &str, value: &str) -> String {
        let session = self.sessions.start();
        session.set(key, value).unwrap();
        session.commit().await.unwrap();
        set_cookie(&session)
    }

    /// The session of a request that presents `cookie`, judged.
    pub async fn request(&self, cookie: &str) -> Session {
        self.request_of(&self.sessions, cookie).await
    }

    /// The session of a request to `sessions` that presents `cookie`, judged.
    pub async fn request_of(&self, sessions: &SessionManager, cookie: &str) -> Session {
        let cookie = CookieValue::One(cookie.as_bytes());
        let presented = Presented { cookie, pre_session: None, client: Client::default() };
        let session = sessions.open(presented);
        session.resolve().await.unwrap();
        session
    }

    /// In how many orders a race is played.
    pub fn schedules(&self) -> u64 {
        self.fixture.schedules()
    }

    /// Damages what is stored of a session; tells whether the store's fixture can.
    pub async fn damage(&self, id: SessionId) -> bool {
        self.fixture.damage(self.gate.inner(), id).await
    }

    /// The live session of a cookie.
    pub async fn load(&self, cookie: &str) -> Session {
        self.sessions.load(cookie).await.unwrap()
    }

    /// What the store holds of a session, past the gate.
    pub async fn stored(&self, id: SessionId) -> Option<Loaded> {
        match self.gate.inner().load(&[id]).await.unwrap().found.pop() {
            Some(Found::Record(loaded)) => Some(*loaded),
            Some(Found::Missing) => None,
            other => panic!("{other:?}"),
        }
    }

    /// The stored record of a session that was not purged.
    pub async fn record(&self, id: SessionId) -> Record {
        self.stored(id).await.unwrap().record
    }

    /// How a session stands by what is stored, whatever anybody remembers.
    pub async fn truth(&self, id: SessionId) -> Standing {
        let answer = self.gate.inner().load(&[id]).await.unwrap();
        let Some(Found::Record(loaded)) = answer.found.first() else { panic!("{answer:?}") };
        let seen = LastSeen { at: loaded.record.last_seen, is_exact: false };
        let (head, now) = (loaded.head.as_ref(), self.sessions.now());
        policy::standing(&loaded.record, head, answer.deployment, seen, now)
    }

    /// Whether other processes may use the store.
    pub fn is_shared(&self) -> bool {
        self.gate.inner().capabilities().is_shared
    }

    /// How late the idle limit ends a session: on a store that others write to, nobody knows activity
    /// to the second.
    pub async fn late(&self, cookie: &str) -> Duration {
        let idle = self.record(id_of(cookie)).await.idle_lifetime;
        idle.filter(|_| self.is_shared()).map(policy::touch_slack).unwrap_or_default()
    }

    /// The records of `who` that are live by what is stored.
    pub async fn live(&self, who: &str) -> Vec<SessionId> {
        let subject = Subject::new(who).unwrap();
        let listed = self.gate.inner().by_subject(&subject, false, &Page::first(1000)).await;
        let mut live = Vec::new();
        for record in listed.unwrap().records {
            if self.truth(record.id).await == Standing::Live {
                live.push(record.id);
            }
        }
        live
    }

    /// The count of live sessions that the head of `who` keeps.
    pub async fn counted(&self, who: &str) -> u32 {
        let subject = Subject::new(who).unwrap();
        self.gate.inner().heads(&[subject]).await.unwrap()[0].live
    }

    /// Writes a record past the engine, as a restored backup would: look at it with a manager that
    /// was [`restarted`](Self::restarted).
    pub async fn rewrite(&self, id: SessionId, change: impl FnOnce(&mut Record)) {
        let mut record = self.record(id).await;
        let expected = record.version;
        change(&mut record);
        let mut group = Group::new(ChangeId::from_bytes([7; 16]));
        let (record, epoch) = (Box::new(record), EpochRule::Keep);
        group.record = Some(RecordChange::Replace { record, expected, epoch });
        let batch = Batch::new(vec![group], Sealer::new(self.keys.clone()));
        let outcomes = self.gate.inner().commit(batch).await.unwrap();
        assert!(matches!(outcomes[..], [Outcome::Applied(_)]), "{outcomes:?}");
    }

    /// The events of a session, oldest first.
    pub async fn events(&self, id: SessionId) -> Vec<Event> {
        self.all_events(EventFilter { session: Some(id), ..EventFilter::default() }).await
    }

    /// The actions in the log that tell of a session, oldest first.
    pub async fn actions(&self, id: SessionId) -> Vec<Action> {
        self.events(id).await.into_iter().map(|event| event.action).collect()
    }

    /// All events by `filter`, oldest first.
    pub async fn all_events(&self, filter: EventFilter) -> Vec<Event> {
        let (mut all, mut page) = (Vec::new(), Page::first(1000));
        loop {
            let listed = self.gate.inner().events(&filter, &page).await.unwrap();
            all.extend(listed.events);
            match listed.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        all.reverse();
        all
    }
}

fn manager(
    gate: &GateStore<Store>,
    clock: &Arc<ManualClock>,
    keys: &KeyRing,
    config: &SessionConfig,
) -> SessionManager {
    SessionManager::builder(gate.clone(), config.clone(), keys.clone())
        .clock(Arc::clone(clock))
        .maintenance(false)
        .build()
}

/// Which session a cookie or refresh token names.
pub fn id_of(token: &str) -> SessionId {
    Token::parse(token).unwrap().session()
}

/// What the holder of a session that has begun keeps, as text.
pub fn cookie_of(begun: &Begun) -> String {
    begun.token.to_text().to_string()
}

/// The cookie that goes out with a response.
pub fn set_cookie(session: &Session) -> String {
    match session.outgoing().cookie {
        CookieAction::Set { value, .. } => value.to_string(),
        other => panic!("a cookie is set: {other:?}"),
    }
}

/// Ends a request well and waits for its commit.
pub async fn finish(session: &Session) -> Result<(), SessionError> {
    match session.finish(true) {
        Finish::Commit(commit) => commit.await,
        Finish::Nothing => Ok(()),
    }
}

/// The reason of an end.
pub fn reason_of(standing: &Standing) -> Option<EndReason> {
    match standing {
        Standing::Over { ended, .. } => Some(ended.reason),
        Standing::Live | Standing::Suspended => None,
    }
}
