//! Where the engine's tests play: a manager over a gated store, with a clock set by hand.

use std::sync::Arc;

use crate::config::{SessionConfig, SessionConfigBuilder};
use crate::event::{Action, Event};
use crate::id::{SessionId, Subject};
use crate::key::KeyRing;
use crate::manager::{Begun, SessionManager};
use crate::policy::{self, LastSeen, Standing};
use crate::record::{EndReason, Record};
use crate::session::Session;
use crate::sign_in::SignIn;
use crate::store::{EventFilter, Found, Loaded, Page, SessionStore};
use crate::testing::{GateStore, ManualClock};
use crate::time::Timestamp;

/// A store of any kind.
pub type Store = Arc<dyn SessionStore>;

/// When every test begins.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A manager over a gated store, with a clock set by hand and no background work.
#[derive(Debug)]
pub struct Stage {
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
    /// A stage over `store` with the default settings.
    pub fn new(store: Store) -> Self {
        let (gate, clock) = (GateStore::new(store), ManualClock::at(START));
        let keys = KeyRing::generate().unwrap();
        // Small, so that a test may make many managers.
        let config = SessionConfig::default().edit().cache_bytes(4 << 20).build().unwrap();
        let sessions = manager(&gate, &clock, &keys, &config);
        Self { gate, clock, keys, config, sessions }
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

/// What the holder of a session that has begun keeps, as text.
pub fn cookie_of(begun: &Begun) -> String {
    begun.token.to_text().to_string()
}

/// The reason of an end.
pub fn reason_of(standing: &Standing) -> Option<EndReason> {
    match standing {
        Standing::Over { ended, .. } => Some(ended.reason),
        Standing::Live | Standing::Suspended => None,
    }
}
