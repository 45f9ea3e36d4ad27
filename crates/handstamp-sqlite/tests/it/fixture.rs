//! A store in a folder of its own, and what is put into it.

use std::path::PathBuf;
use std::time::Duration;

use handstamp_core::chain::{Link, Sealer, verify_chain};
use handstamp_core::data::Data;
use handstamp_core::event::{Action, Event};
use handstamp_core::id::{ChangeId, EventId, SessionId, Subject};
use handstamp_core::key::KeyRing;
use handstamp_core::record::{
    Assurance, Client, Kind, Lineage, Location, Profile, Record, Transport,
};
use handstamp_core::roles::Roles;
use handstamp_core::store::{
    Batch, EpochRule, Found, Group, Outcome, RecordChange, SessionStore, StoreError,
};
use handstamp_core::time::Timestamp;
use handstamp_sqlite::SqliteStore;
use tempfile::TempDir;

/// A folder that is removed after the test, with a key ring.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) sealer: Sealer,
}

impl Place {
    pub(crate) fn new() -> Self {
        let keys = KeyRing::generate().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), sealer: Sealer::new(keys) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("sessions.db")
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.path()).await.unwrap()
    }

    /// Another program's hand in the database.
    pub(crate) fn meddle(&self, sql: &str) -> usize {
        rusqlite::Connection::open(self.path()).unwrap().execute(sql, []).unwrap()
    }

    pub(crate) async fn insert(&self, store: &SqliteStore, n: u8) -> Result<Outcome, StoreError> {
        let record = record(n);
        self.commit(store, RecordChange::Insert { record: Box::new(record), limit: None }).await
    }

    pub(crate) async fn replace(
        &self,
        store: &SqliteStore,
        record: Record,
    ) -> Result<Outcome, StoreError> {
        let expected = record.version;
        let epoch = EpochRule::Keep;
        let change = RecordChange::Replace { record: Box::new(record), expected, epoch };
        self.commit(store, change).await
    }

    async fn commit(
        &self,
        store: &SqliteStore,
        change: RecordChange,
    ) -> Result<Outcome, StoreError> {
        let batch = Batch::new(vec![group(change)], self.sealer.clone());
        Ok(store.commit(batch).await?.remove(0))
    }

    /// How many events there are; the chain over them holds.
    pub(crate) async fn events(&self, store: &SqliteStore) -> usize {
        let batches = store.sealed(store.meta().writer, 0, 10_000).await.unwrap();
        verify_chain(&self.sealer, 0, Link::START, &batches).unwrap();
        batches.iter().map(|batch| batch.events.len()).sum()
    }
}

/// One group with one event.
pub(crate) fn group(change: RecordChange) -> Group {
    let record = change.record();
    let bytes = *record.id.as_bytes();
    let at = record.created_at;
    let mut event =
        Event::new(EventId::from_bytes([bytes[17]; 16]), at, Action::SessionStarted, [7; 16]);
    event.session = Some(record.id);
    event.subject.clone_from(&record.subject);
    let mut group = Group::new(ChangeId::from_bytes([bytes[17]; 16]));
    group.record = Some(change);
    group.events = vec![event];
    group
}

pub(crate) fn id(n: u8) -> SessionId {
    SessionId::from_bytes([n; SessionId::LEN])
}

/// The record under `id`, which is there and whole.
pub(crate) async fn find(store: &SqliteStore, id: SessionId) -> Record {
    match load(store, id).await {
        Found::Record(loaded) => loaded.record,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn load(store: &SqliteStore, id: SessionId) -> Found {
    store.load(&[id]).await.unwrap().found.remove(0)
}

/// A record in which every field says something.
pub(crate) fn record(n: u8) -> Record {
    let at = Timestamp::from_millis(1_000_000 + i64::from(n));
    let mut data = Data::default();
    data.insert("cart".into(), "[1,2]".into());
    Record {
        id: id(n),
        version: 1,
        change_id: ChangeId::from_bytes([n; 16]),
        subject: Some(Subject::new("alice").unwrap()),
        epoch: 0,
        deployment_epoch: 0,
        kind: Kind::User,
        transport: Transport::Token,
        roles: Roles::new(["admin", "editor"]).unwrap(),
        created_at: at,
        authenticated_at: at,
        last_seen: at,
        absolute_expiry: at.plus(Duration::from_secs(86_400)),
        idle_lifetime: Some(Duration::from_secs(1800)),
        lineage: lineage(n, at),
        amr: vec!["pwd".into(), "otp".into()],
        assurance: Assurance::Aal2,
        client: client(),
        profile: Profile { name: Some("Alice".into()), ..Profile::default() },
        label: Some("my laptop".into()),
        audience: vec!["api".into()],
        client_id: Some("shop".into()),
        is_remembered: true,
        suspended: None,
        data,
        flash: Vec::new(),
        csrf_seed: [n; 16],
        ended: None,
    }
}

fn lineage(n: u8, at: Timestamp) -> Lineage {
    Lineage {
        salt: [n; 16],
        generation: 3,
        key_id: 1,
        previous_key_id: 1,
        rotated_at: at,
        is_seen: true,
        seen_at: handstamp_core::time::Timestamp::default(),
        privilege_generation: 2,
        privilege_at: at,
        attempt: Some([n; 32]),
        retries: 4,
    }
}

fn client() -> Client {
    let location = Location { country: Some("CH".into()), ..Location::default() };
    Client {
        ip: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("Mozilla/5.0\u{0} odd".into()),
        device: Some("Firefox on Linux".into()),
        location: Some(location.into()),
        fingerprint: Some("b1946ac9".into()),
    }
}

/// Runs something on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}
