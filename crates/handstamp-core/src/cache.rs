//! The near cache: records and heads in use, in process memory, bounded by weight, written through.
//!
//! An entry is an immutable snapshot. Two rules keep it true: what a commit leaves behind is put
//! here before the commit is acknowledged, and a **fill** (a load on a miss) that raced such a
//! commit is thrown away and loaded again. Where other processes write to the same store, what is
//! heard of their commits counts like a commit, and a commit of this process is a fill as well: it
//! may have been overtaken by theirs. Whether the cache may be trusted at all is then a matter of the
//! lease (`coherence`).

mod cell;
mod fills;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache as Quick;
use zeroize::Zeroizing;

use self::cell::HeadCell;
use self::fills::Fills;
use crate::head::{Deployment, Head};
use crate::id::{IdBuildHasher, SessionId, Subject};
use crate::key::KeyRing;
use crate::policy::{self, LastSeen, touch_interval};
use crate::record::Record;
use crate::roles::Roles;
use crate::time::Timestamp;
use crate::token::{Token, TokenText};

/// The last activity of a session, as seen by this process.
#[derive(Debug)]
pub(crate) struct Activity {
    at: AtomicI64,
    is_exact: AtomicBool,
    /// Whether nobody but this process sees activity.
    is_alone: bool,
    /// What the store has been told, or will be with the next flush.
    told: AtomicI64,
    /// When somebody was last alarmed about this session.
    alarmed: AtomicI64,
    /// Whether a change that nobody waits for is under way.
    is_busy: AtomicBool,
}

/// Says, for as long as it lives, that a change of a session is under way that nobody waits for.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Busy {
    /// `None` if one is under way.
    pub(crate) fn begin(activity: &Arc<Activity>) -> Option<Self> {
        let was_busy = activity.is_busy.swap(true, Ordering::AcqRel);
        (!was_busy).then(|| Self(Arc::clone(activity)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Release);
    }
}

/// How long after one alarm about a session the next is told: 1 minute.
const ALARM_PAUSE: i64 = 60_000;

impl Activity {
    fn new(at: Timestamp, is_exact: bool, is_alone: bool) -> Arc<Self> {
        let at = at.as_millis();
        Arc::new(Self {
            at: at.into(),
            is_exact: (is_exact && is_alone).into(),
            is_alone,
            told: at.into(),
            alarmed: 0.into(),
            is_busy: false.into(),
        })
    }

    pub(crate) fn last_seen(&self) -> LastSeen {
        LastSeen {
            at: Timestamp::from_millis(self.at.load(Ordering::Relaxed)),
            is_exact: self.is_exact.load(Ordering::Relaxed),
        }
    }

    /// Whether an alarm is due: one who holds an old token must not fill the log.
    pub(crate) fn may_alarm(&self, now: Timestamp) -> bool {
        let (now, last) = (now.as_millis(), self.alarmed.load(Ordering::Relaxed));
        (last == 0 || now - last >= ALARM_PAUSE)
            && self
                .alarmed
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Notes activity; answers whether it has moved so far that the store should hear of it.
    pub(crate) fn note(&self, now: Timestamp, interval: Duration) -> bool {
        let now_millis = now.as_millis();
        // Looked at before it is written: who is there in the same millisecond writes nothing.
        if self.at.load(Ordering::Relaxed) < now_millis {
            self.at.fetch_max(now_millis, Ordering::Relaxed);
        }
        // What another process saw may be later, and is told with the same delay.
        self.is_exact.store(self.is_alone, Ordering::Relaxed);
        let told = self.told.load(Ordering::Relaxed);
        let has_moved = now.since(Timestamp::from_millis(told)) >= interval && now_millis > told;
        has_moved
            && self
                .told
                .compare_exchange(told, now_millis, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// A session in use: its record, its head, its activity, and the text of the token that is current,
/// so that a hit costs a comparison and no HMAC.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) record: Arc<Record>,
    pub(crate) head: Option<Arc<HeadCell>>,
    pub(crate) activity: Arc<Activity>,
    /// How far activity must have moved before it is written.
    pub(crate) touch_interval: Duration,
    token: Option<Zeroizing<TokenText>>,
}

impl Cached {
    /// The token that is current; `None` when its key has been retired.
    pub(crate) fn token(&self) -> Option<Token> {
        self.token.as_ref()?.to_token()
    }

    /// Whether `presented` is the text of the current token.
    pub(crate) fn is_current(&self, presented: &TokenText) -> bool {
        self.token.as_ref().is_some_and(|token| token.is_same(presented))
    }

    /// Whether the head, where there is one, lets the session be live.
    pub(crate) fn is_allowed(&self) -> bool {
        match &self.head {
            Some(head) => head.allows(self.record.epoch),
            // A session with a subject is never without a head; if it were, nothing would allow it.
            None => self.record.subject.is_none(),
        }
    }

    pub(crate) fn head(&self) -> Option<Arc<Head>> {
        self.head.as_ref().map(|cell| cell.get())
    }

    /// The roles that the session has now.
    pub(crate) fn roles(&self) -> Roles {
        self.with_head(|head| policy::effective_roles(&self.record, head))
    }

    /// Looks at the head, if there is one.
    pub(crate) fn with_head<T>(&self, look: impl FnOnce(Option<&Head>) -> T) -> T {
        match &self.head {
            Some(cell) => cell.look(|head| look(Some(head))),
            None => look(None),
        }
    }
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<SessionId, Arc<Cached>> for ByBytes {
    fn weight(&self, _: &SessionId, cached: &Arc<Cached>) -> u64 {
        weight(&cached.record)
    }
}

/// Bytes that a cached session takes, by reckoning.
fn weight(record: &Record) -> u64 {
    let (client, profile) = (&record.client, &record.profile);
    let texts = [
        &client.user_agent,
        &client.device,
        &client.fingerprint,
        &profile.name,
        &profile.email,
        &profile.phone,
        &profile.claims,
        &record.label,
        &record.client_id,
    ];
    let texts: usize = texts.into_iter().flatten().map(|text| text.len() + 16).sum();
    let names = record.roles.iter();
    let names = names.chain(record.amr.iter().chain(&record.audience).map(|name| &**name));
    let names: usize = names.map(|name| name.len() + 32).sum();
    let place = if client.location.is_some() { 256 } else { 0 };
    let flash: usize = record.flash.iter().map(|flash| flash.value.len() + 64).sum();
    let data = record.data.weight() + record.data.len() * 96;
    let fixed = size_of::<Record>() + size_of::<Cached>() + size_of::<Activity>() + 64;
    (fixed + texts + names + place + flash + data) as u64
}

/// Into how many counters the hits are spread, so that cores do not wait for each other.
const LANES: usize = 16;

/// Hits, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Hits(AtomicU64);

/// How the near cache does, since the manager was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CacheLooks {
    /// A session that was looked for was there.
    pub hits: u64,
    /// A session was loaded from the store: it was not there, or may not have been the latest.
    pub loads: u64,
}

/// Records and heads in use.
pub(crate) struct Cache {
    entries: Quick<SessionId, Arc<Cached>, ByBytes, IdBuildHasher>,
    heads: Mutex<HashMap<Subject, Weak<HeadCell>>>,
    fills: Mutex<Fills>,
    loads: AtomicU64,
    hits: [Hits; LANES],
    deployment: AtomicU64,
    keys: KeyRing,
    /// Whether no other process writes to the store.
    is_alone: bool,
}

/// What the change log tells of a version of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tells {
    pub(crate) generation: u32,
    pub(crate) min_generation: u32,
    pub(crate) is_ended: bool,
}

impl Tells {
    fn of(record: &Record) -> Self {
        let (generation, min_generation) = (record.lineage.generation, record.min_generation());
        Self { generation, min_generation, is_ended: record.is_tombstone() }
    }
}

/// A load or a commit that is under way; what it brings is taken with it.
pub(crate) struct Fill<'a> {
    cache: &'a Cache,
    id: SessionId,
    number: u64,
}

impl Drop for Fill<'_> {
    fn drop(&mut self) {
        self.cache.lock_fills().forget(&self.id, self.number);
    }
}

impl Cache {
    /// An empty cache before a store that belongs to this process alone, or not.
    pub(crate) fn new(bytes: u64, keys: KeyRing, is_alone: bool) -> Self {
        let items = usize::try_from(bytes / 1024).unwrap_or(1 << 20).max(16);
        Self {
            entries: Quick::with(
                items,
                bytes,
                ByBytes,
                IdBuildHasher::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            heads: Mutex::default(),
            fills: Mutex::default(),
            loads: AtomicU64::new(0),
            hits: Default::default(),
            deployment: AtomicU64::new(0),
            keys,
            is_alone,
        }
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<Cached>> {
        let held = self.entries.get(id)?;
        self.hits_of(id).0.fetch_add(1, Ordering::Relaxed);
        Some(held)
    }

    /// The counter of this session's hits. Ids end at random, so sessions that are in use at once
    /// seldom share one.
    fn hits_of(&self, id: &SessionId) -> &Hits {
        let [first, ..] = &self.hits;
        let lane = usize::from(id.as_bytes()[SessionId::LEN - 1]) % LANES;
        self.hits.get(lane).unwrap_or(first)
    }

    /// How often a session was found here, and how often one was loaded because it was not.
    pub(crate) fn looks(&self) -> CacheLooks {
        let hits = self.hits.iter().map(|hits| hits.0.load(Ordering::Relaxed)).sum();
        CacheLooks { hits, loads: self.loads.load(Ordering::Relaxed) }
    }

    /// How many sessions are held, and how many bytes they take by reckoning.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.entries.len(), self.entries.weight())
    }

    pub(crate) fn deployment(&self) -> Deployment {
        Deployment { epoch: self.deployment.load(Ordering::Acquire) }
    }

    fn lock_fills(&self) -> MutexGuard<'_, Fills> {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a load of `id`.
    pub(crate) fn begin_fill(&self, id: SessionId) -> Fill<'_> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.begin_commit(id)
    }

    /// Announces a commit of `id` to a store that others write to as well.
    pub(crate) fn begin_commit(&self, id: SessionId) -> Fill<'_> {
        let number = self.lock_fills().begin(id);
        Fill { cache: self, id, number }
    }

    /// Takes what a load brought; `None` when a commit overtook it, so it must be loaded again.
    pub(crate) fn end_fill(
        &self,
        fill: &Fill<'_>,
        record: Record,
        head: Option<&Head>,
        deployment: Deployment,
    ) -> Option<Arc<Cached>> {
        let mut fills = self.lock_fills();
        if !fills.end(&fill.id, fill.number, record.version) {
            return None;
        }
        self.deployment.fetch_max(deployment.epoch, Ordering::AcqRel);
        let cached = self.snapshot(Arc::new(record), head, false);
        self.hold(&cached);
        Some(cached)
    }

    /// Takes the record that a commit left behind. Loads under way for it are stale.
    pub(crate) fn put(&self, record: Record, head: Option<&Head>, is_new: bool) -> Arc<Cached> {
        let mut fills = self.lock_fills();
        fills.spoil(&record.id);
        self.take(record, head, is_new)
    }

    /// The same where others write to the store as well. What they have overtaken is answered and
    /// not taken in.
    pub(crate) fn put_shared(
        &self,
        fill: &Fill<'_>,
        record: Record,
        head: Option<&Head>,
        is_new: bool,
    ) -> Arc<Cached> {
        let mut fills = self.lock_fills();
        let is_latest = fills.end(&fill.id, fill.number, record.version);
        fills.heard(&record.id, record.version);
        if is_latest {
            return self.take(record, head, is_new);
        }
        self.forget_before(&record.id, record.version + 1);
        self.snapshot(Arc::new(record), head, is_new)
    }

    fn take(&self, record: Record, head: Option<&Head>, is_new: bool) -> Arc<Cached> {
        let cached = self.snapshot(Arc::new(record), head, is_new);
        // A tombstone takes no place of its own: it replaces what is held, or is not kept.
        if !cached.record.is_tombstone() || self.entries.peek(&cached.record.id).is_some() {
            self.hold(&cached);
        }
        cached
    }

    /// Holds a snapshot unless a later one is held.
    fn hold(&self, cached: &Arc<Cached>) {
        let id = cached.record.id;
        let is_later = |held: &Arc<Cached>| held.record.version > cached.record.version;
        if !self.entries.peek(&id).is_some_and(|held| is_later(&held)) {
            self.entries.insert(id, Arc::clone(cached));
        }
    }

    /// Hears that some process has made this `version` of a session: what is older is stale. So is
    /// what does not fit it though it is as new: a store that has lost commits gives out their
    /// versions again.
    pub(crate) fn heard(&self, id: &SessionId, version: u64, tells: Tells) {
        self.lock_fills().heard(id, version);
        let is_stale = |held: &Arc<Cached>| {
            let record = &held.record;
            record.version < version
                || (record.version == version && Tells::of(record) != tells)
                // Nothing comes after an end.
                || (tells.is_ended && !record.is_tombstone())
        };
        if self.entries.peek(id).is_some_and(|held| is_stale(&held)) {
            self.entries.remove(id);
        }
    }

    fn forget_before(&self, id: &SessionId, version: u64) {
        if self.entries.peek(id).is_some_and(|held| held.record.version < version) {
            self.entries.remove(id);
        }
    }

    /// Hears that some process has made this `version` of a subject's head, of this `epoch`. Unless
    /// this process knows it, nothing is allowed to the sessions that are held until it is loaded,
    /// and loads under way are stale.
    pub(crate) fn heard_head(&self, subject: &Subject, version: u64, epoch: u64) {
        let mut fills = self.lock_fills();
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = heads.get(subject).and_then(Weak::upgrade);
        if cell.is_none_or(|cell| cell.hear(version, epoch)) {
            fills.spoil_all();
        }
    }

    /// Whether this process shares the store with none.
    pub(crate) const fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// A snapshot of a record that is not taken in: it may be older than what is known by now.
    pub(crate) fn unheld(&self, record: Record, head: Option<&Head>) -> Arc<Cached> {
        self.snapshot(Arc::new(record), head, false)
    }

    /// Takes a head that a commit left behind. Every load under way is stale, whoever it is for.
    pub(crate) fn put_head(&self, head: &Head) {
        let mut fills = self.lock_fills();
        fills.spoil_all();
        self.cell(head);
    }

    /// Takes the deployment's epoch that a commit left behind.
    pub(crate) fn put_deployment(&self, deployment: Deployment) {
        if deployment.epoch <= self.deployment().epoch {
            return;
        }
        let mut fills = self.lock_fills();
        fills.spoil_all();
        self.deployment.fetch_max(deployment.epoch, Ordering::AcqRel);
    }

    /// Forgets a session: the next look loads it. Loads under way are stale.
    pub(crate) fn forget(&self, id: &SessionId) {
        let mut fills = self.lock_fills();
        fills.spoil(id);
        self.entries.remove(id);
    }

    /// Forgets everything: nothing held is known to be true.
    pub(crate) fn forget_all(&self) {
        let mut fills = self.lock_fills();
        fills.spoil_all();
        self.entries.clear();
    }

    /// Forgets everything, and that it was ever known: later versions and a later epoch than there
    /// are may have been lost. The deployment is as the store says now, unless it has moved here since
    /// it was `before`.
    pub(crate) fn start_afresh(&self, before: Deployment, now: Deployment) {
        let mut fills = self.lock_fills();
        fills.spoil_all();
        self.entries.clear();
        for (_, cell) in self.heads.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            if let Some(cell) = cell.upgrade() {
                cell.forget();
            }
        }
        let (before, now) = (before.epoch, now.epoch);
        let set =
            self.deployment.compare_exchange(before, now, Ordering::AcqRel, Ordering::Relaxed);
        if set.is_err() {
            self.deployment.fetch_max(now, Ordering::AcqRel);
        }
    }

    fn snapshot(&self, record: Arc<Record>, head: Option<&Head>, is_new: bool) -> Arc<Cached> {
        let before = self.entries.peek(&record.id);
        let activity = match &before {
            Some(before) => Arc::clone(&before.activity),
            None => Activity::new(record.last_seen, is_new, self.is_alone),
        };
        activity.at.fetch_max(record.last_seen.as_millis(), Ordering::Relaxed);
        let token = self.token(before.as_deref(), &record);
        let head = head.map(|head| self.cell(head));
        let head = head.or_else(|| before.and_then(|before| before.head.clone()));
        let touch_interval = touch_interval(record.idle_lifetime.unwrap_or(Duration::MAX));
        Arc::new(Cached { record, head, activity, touch_interval, token })
    }

    /// The current token of `record`: that of the snapshot before, if it has not changed.
    fn token(&self, before: Option<&Cached>, record: &Record) -> Option<Zeroizing<TokenText>> {
        if record.is_tombstone() {
            return None;
        }
        let is_unchanged = |before: &&Cached| {
            let (old, new) = (&before.record.lineage, &record.lineage);
            old.generation == new.generation && old.key_id == new.key_id && old.salt == new.salt
        };
        if let Some(before) = before.filter(is_unchanged) {
            return before.token.clone();
        }
        let key = self.keys.find(record.lineage.key_id)?;
        let token = Token::current(&key, &record.id, record.transport, &record.lineage);
        Some(Zeroizing::new(TokenText::of(&token)))
    }

    /// The one cell of a subject, made if nobody holds it.
    fn cell(&self, head: &Head) -> Arc<HeadCell> {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = heads.get(&head.subject).and_then(Weak::upgrade) {
            cell.learn(head);
            return cell;
        }
        let cell = Arc::new(HeadCell::new(head));
        heads.insert(head.subject.clone(), Arc::downgrade(&cell));
        if heads.len() > 64 && heads.len().is_power_of_two() {
            heads.retain(|_, cell| cell.strong_count() > 0);
        }
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_is_told_once_it_has_moved_by_the_interval() {
        let activity = Activity::new(Timestamp::from_millis(0), true, true);
        let interval = Duration::from_secs(60);
        assert!(!activity.note(Timestamp::from_millis(59_999), interval));
        assert!(activity.note(Timestamp::from_millis(60_000), interval));
        assert!(!activity.note(Timestamp::from_millis(60_001), interval));
        assert_eq!(activity.last_seen().at, Timestamp::from_millis(60_001));
    }

    #[test]
    fn activity_never_moves_back() {
        let activity = Activity::new(Timestamp::from_millis(5_000), false, true);
        activity.note(Timestamp::from_millis(1_000), Duration::ZERO);
        assert_eq!(activity.last_seen().at, Timestamp::from_millis(5_000));
    }
}
