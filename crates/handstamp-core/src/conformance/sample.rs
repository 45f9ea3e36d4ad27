//! Records, groups and events to try a store with.

use std::sync::Arc;
use std::time::Duration;

use crate::data::{Data, Flash};
use crate::event::{Action, Event, Personal};
use crate::head::Deployment;
use crate::id::{ChangeId, EventId, Partition, SessionId, Subject};
use crate::random::{SystemRng, random};
use crate::record::{
    Assurance, Client, EndReason, Ended, Kind, Lineage, Location, Profile, Record, Suspended,
    Transport,
};
use crate::roles::Roles;
use crate::store::{EpochRule, Group, HeadChange, HeadTarget, Meta, RecordChange};
use crate::time::Timestamp;

/// When the sample sessions begin.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_123);

/// The idle lifetime of the sample sessions.
pub const IDLE: Duration = Duration::from_secs(1800);

/// The absolute lifetime of the sample sessions.
pub const ABSOLUTE: Duration = Duration::from_secs(86_400);

/// The time `seconds` after [`BEGIN`].
pub fn at(seconds: u64) -> Timestamp {
    BEGIN.plus(Duration::from_secs(seconds))
}

/// A subject of this name.
pub fn subject(name: &str) -> Subject {
    Subject::new(name).expect("a name for a subject")
}

/// A fresh change id.
pub fn change_id() -> ChangeId {
    ChangeId::generate(&SystemRng).expect("random bytes")
}

/// A fresh id in the partition of `subject`, or in any without one.
pub fn id(meta: &Meta, subject: Option<&Subject>) -> SessionId {
    let partition = match subject {
        Some(subject) => Partition::of_subject(&meta.partition_key, subject),
        None => Partition::draw(&SystemRng).expect("random bytes"),
    };
    SessionId::generate(partition, &SystemRng).expect("random bytes")
}

/// A record that has just begun, with nothing in it that need not be: of `subject`, or anonymous.
pub fn record(meta: &Meta, subject: Option<&Subject>) -> Record {
    Record {
        id: id(meta, subject),
        version: 0,
        change_id: ChangeId::from_bytes([0; 16]),
        subject: subject.cloned(),
        epoch: 0,
        deployment_epoch: 0,
        kind: if subject.is_some() { Kind::User } else { Kind::Anonymous },
        transport: Transport::Cookie,
        roles: Roles::none(),
        created_at: BEGIN,
        authenticated_at: BEGIN,
        last_seen: BEGIN,
        absolute_expiry: BEGIN.plus(ABSOLUTE),
        idle_lifetime: Some(IDLE),
        lineage: lineage(),
        amr: Vec::new(),
        assurance: Assurance::Aal1,
        client: Client::default(),
        profile: Profile::default(),
        label: None,
        audience: Vec::new(),
        client_id: None,
        is_remembered: false,
        suspended: None,
        data: Data::default(),
        flash: Vec::new(),
        csrf_seed: random(&SystemRng).expect("random bytes"),
        ended: None,
    }
}

fn lineage() -> Lineage {
    Lineage {
        salt: random(&SystemRng).expect("random bytes"),
        generation: 1,
        key_id: 1,
        previous_key_id: 0,
        rotated_at: BEGIN,
        is_seen: false,
        seen_at: BEGIN,
        privilege_generation: 1,
        privilege_at: BEGIN,
        attempt: None,
        retries: 0,
    }
}

/// A record in which every field holds something unusual, each another.
pub fn full_record(meta: &Meta, subject: &Subject) -> Record {
    let mut data = Data::default();
    data.insert("visits".into(), "42".into());
    data.insert("Käse \u{1f9c0} 'quoted\" %_".into(), r#"{"a":[null,"\u0000"," x "]}"#.into());
    Record {
        kind: Kind::Guest,
        transport: Transport::Token,
        roles: Roles::new(["editor", "admin"]).expect("roles"),
        authenticated_at: at(5),
        last_seen: at(7),
        absolute_expiry: at(9_999),
        idle_lifetime: Some(Duration::from_millis(1_234_567)),
        lineage: full_lineage(),
        amr: vec!["pwd".into(), "otp".into()],
        assurance: Assurance::Aal3,
        client: client(),
        profile: profile(),
        label: Some("the \u{1f4bb} in the hall".into()),
        audience: vec!["https://api.example".into(), "https://b.example".into()],
        client_id: Some("the shop".into()),
        is_remembered: true,
        suspended: Some(suspended()),
        data,
        flash: vec![
            Flash { id: [1; 8], key: "ok".into(), value: r#""saved""#.into() },
            Flash { id: [2; 8], key: "ok".into(), value: "{}".into() },
        ],
        ..record(meta, Some(subject))
    }
}

fn suspended() -> Suspended {
    let (by, why) = (Some("op".into()), Some("odd".into()));
    Suspended { at: at(8), by, why, is_until_step_up: true }
}

fn full_lineage() -> Lineage {
    Lineage {
        generation: u32::MAX,
        key_id: 255,
        previous_key_id: 254,
        rotated_at: at(1),
        is_seen: true,
        privilege_generation: 77,
        privilege_at: at(2),
        attempt: Some([0xab; 32]),
        retries: 20,
        ..lineage()
    }
}

/// A client of which everything is known.
pub fn client() -> Client {
    let location = Location {
        country: Some("NZ".into()),
        region: Some("Otago".into()),
        city: Some("Ōtepoti".into()),
    };
    Client {
        ip: Some("2001:db8::7".parse().expect("an address")),
        user_agent: Some("Sample/1.0 (\"quoted\")".into()),
        device: Some("Sample on Linux".into()),
        location: Some(Arc::new(location)),
        fingerprint: Some("b1946ac92492d2347c6235b4d2611184".into()),
    }
}

fn profile() -> Profile {
    Profile {
        name: Some("Aroha Ngāta".into()),
        email: Some("aroha@example.org".into()),
        phone: Some("+64 3 555 0100".into()),
        claims: Some(r#"{"plan":"gold"}"#.into()),
    }
}

/// An end at `at`.
pub fn end(at: Timestamp) -> Ended {
    Ended { at, reason: EndReason::Logout, by: Some("somebody".into()), successor: None }
}

/// A group that inserts `record`.
pub fn insert(record: &Record) -> Group {
    insert_within(record, None)
}

/// A group that inserts `record` unless `limit` sessions of its subject are live.
pub fn insert_within(record: &Record, limit: Option<u32>) -> Group {
    let record = Some(RecordChange::Insert { record: Box::new(record.clone()), limit });
    Group { record, ..Group::new(change_id()) }
}

/// A group that replaces the version of `record` by `record`.
pub fn replace(record: &Record) -> Group {
    replace_at(record, record.version)
}

/// A group that replaces version `expected` by `record`.
pub fn replace_at(record: &Record, expected: u64) -> Group {
    let record = Box::new(record.clone());
    let record = Some(RecordChange::Replace { record, expected, epoch: EpochRule::Keep });
    Group { record, ..Group::new(change_id()) }
}

/// A group that makes `change` and, after it, replaces the version of `record` by `record`, which
/// moves along with the epoch.
pub fn adopt(record: &Record, change: HeadChange) -> Group {
    let (expected, record) = (record.version, Box::new(record.clone()));
    let record = Some(RecordChange::Replace { record, expected, epoch: EpochRule::Adopt });
    Group { record, ..head(change) }
}

/// A group that makes `change`.
pub fn head(change: HeadChange) -> Group {
    Group { head: Some(change), ..Group::new(change_id()) }
}

/// The change that moves the epoch of `subject`.
pub fn bump(subject: &Subject) -> HeadChange {
    let ended = Ended { reason: EndReason::LogoutAll, ..end(at(60)) };
    HeadChange { bump_epoch: Some(ended), ..HeadChange::of(HeadTarget::Subject(subject.clone())) }
}

/// The epoch to which [`bump_deployment`] moves a new deployment.
pub fn moved_epoch() -> u64 {
    Deployment::default().moved(at(60)).epoch
}

/// The change that moves the epoch of the deployment.
pub fn bump_deployment() -> HeadChange {
    let ended = Ended { reason: EndReason::Admin, ..end(at(60)) };
    HeadChange { bump_epoch: Some(ended), ..HeadChange::of(HeadTarget::Deployment) }
}

/// The change that disables `subject`, or enables it.
pub fn disable(subject: &Subject, disabled: bool) -> HeadChange {
    let target = HeadTarget::Subject(subject.clone());
    HeadChange { disabled: Some(disabled), ..HeadChange::of(target) }
}

/// An event of `action` at `at`, in which every field holds something.
pub fn event(action: Action, at: Timestamp) -> Event {
    let salt = random(&SystemRng).expect("random bytes");
    let id = EventId::generate(&SystemRng).expect("random bytes");
    let mut event = Event::new(id, at, action, salt);
    event.actor = Some("op \u{1f9d1}".into());
    event.error = Some("SOME_CODE".into());
    event.details.insert("reason".into(), "logout".into());
    event.set_personal(Personal { client: client(), identifier: Some("hash".into()) });
    event
}

/// An event of `action` at `at` about `record`.
pub fn event_of(record: &Record, action: Action, at: Timestamp) -> Event {
    let mut event = event(action, at);
    event.subject.clone_from(&record.subject);
    event.session = Some(record.id);
    event
}
