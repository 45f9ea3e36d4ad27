//! What happened lately, in memory: failures by subject, by name and by source, and the subjects
//! that were tried from a source.
//!
//! Nothing in here is a name or an address: entries are found by keyed hashes, whose key lives as
//! long as the process. The room is bounded whatever comes; of what does not fit, the entries that
//! are used least go first, so that a flood of made-up names does not push out the one that is
//! under attack. Each process counts for itself.

mod entry;
#[cfg(test)]
mod tests;
mod window;

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use entry::{Failures, Source};
use handstamp_core::id::Subject;
use handstamp_core::time::Timestamp;
use quick_cache::unsync::Cache;

use super::advice::{Advice, for_source, for_subject};
use super::{FailureSignal, RiskConfig, Tally, source_of};

/// How many subjects and names, how many sources, and how many pairs of both are kept.
const CAPACITY: usize = 20_000;

/// A try to sign in.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Whose, where that is known.
    pub subject: Option<&'a Subject>,
    /// The name that was typed, as a keyed hash; counts where no subject is known.
    pub name: Option<&'a str>,
    /// From where.
    pub address: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
}

/// What happened lately. Shared by reference; every call is one short lock.
#[derive(Debug)]
pub struct Recent {
    config: RiskConfig,
    hasher: RandomState,
    kept: Mutex<Kept>,
}

struct Kept {
    accounts: Cache<u64, Failures>,
    sources: Cache<u64, Source>,
    /// Pairs of a subject and a source that it has signed in from.
    homes: Cache<u64, ()>,
}

/// The keys of an attempt.
#[derive(Clone, Copy)]
struct Keys {
    /// Of the subject or name.
    account: Option<u64>,
    /// Of the same, apart for tries from where it has signed in before, and from elsewhere.
    lanes: Option<[u64; 2]>,
    source: Option<u64>,
    home: Option<u64>,
}

impl Recent {
    /// Nothing has happened yet.
    pub fn new(config: &RiskConfig) -> Self {
        let kept = Kept {
            accounts: Cache::new(CAPACITY),
            sources: Cache::new(CAPACITY),
            homes: Cache::new(CAPACITY),
        };
        Self { config: config.clone(), hasher: RandomState::new(), kept: Mutex::new(kept) }
    }

    /// Counts a sign-in that failed. Answers what is counted now, and what to do about the next.
    pub fn failed(&self, attempt: &Attempt<'_>) -> (FailureSignal, Advice) {
        let (keys, at) = (self.keys(attempt), attempt.at);
        let mut kept = self.lock();
        let lane = kept.lane(&keys);
        if let Some(lane) = lane {
            let within = self.config.failures_by_subject.window;
            entry(&mut kept.accounts, lane, |failures| failures.add(at, within));
        }
        self.note_source(&mut kept, &keys, at, |source| {
            source.failures.add(at, self.config.failures_by_address.window);
        });
        let signal = self.signal(&mut kept, &keys, at);
        (signal, self.advice(&kept, &keys, at))
    }

    /// Counts the subject of a sign-in that came about among those tried from its source. Answers
    /// what was counted before.
    pub fn began(&self, attempt: &Attempt<'_>) -> Tally {
        let (keys, at) = (self.keys(attempt), attempt.at);
        let mut kept = self.lock();
        self.note_source(&mut kept, &keys, at, |_| {});
        self.tally(&kept, &keys, at)
    }

    /// Trusts a sign-in that no rule stopped: the failures of the subject are forgotten with it,
    /// and its source is one that the subject is at home at. Those of the source stay.
    pub fn trust(&self, attempt: &Attempt<'_>) {
        let keys = self.keys(attempt);
        let mut kept = self.lock();
        for lane in keys.lanes.into_iter().flatten() {
            kept.accounts.remove(&lane);
        }
        if let Some(home) = keys.home {
            kept.homes.insert(home, ());
        }
    }

    /// What to do about a try that is to come.
    pub fn advise(&self, attempt: &Attempt<'_>) -> Advice {
        let keys = self.keys(attempt);
        self.advice(&self.lock(), &keys, attempt.at)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self, attempt: &Attempt<'_>) -> Keys {
        let key = |kind: &str, of: &str| self.hasher.hash_one((kind, of));
        let subject = attempt.subject.map(|subject| key("subject", subject.as_str()));
        let account = subject.or_else(|| attempt.name.map(|name| key("name", name)));
        let source = attempt.address.map(|address| self.hasher.hash_one(source_of(address)));
        let lanes =
            |account: u64| [false, true].map(|is_home| self.hasher.hash_one((account, is_home)));
        let home = subject.zip(source).map(|pair| self.hasher.hash_one(pair));
        Keys { account, lanes: account.map(lanes), source, home }
    }

    fn note_source(
        &self,
        kept: &mut Kept,
        keys: &Keys,
        at: Timestamp,
        note: impl FnOnce(&mut Source),
    ) {
        let Some(key) = keys.source else { return };
        let stranger = keys.account.filter(|_| !kept.is_home(keys));
        entry(&mut kept.sources, key, |source| {
            note(source);
            if let Some(account) = stranger {
                source.tried(account, at, self.config.subjects_by_address.window);
            }
        });
    }

    fn tally(&self, kept: &Kept, keys: &Keys, at: Timestamp) -> Tally {
        let source = keys.source.and_then(|key| kept.sources.peek(&key));
        let by_address = self.config.failures_by_address.window;
        let subjects = self.config.subjects_by_address.window;
        Tally {
            by_subject: kept.failures(keys, at, self.config.failures_by_subject.window),
            by_address: source.map_or(0, |source| source.failures.count(at, by_address)),
            subjects: source.map_or(0, |source| source.subjects(at, subjects)),
        }
    }

    fn signal(&self, kept: &mut Kept, keys: &Keys, at: Timestamp) -> FailureSignal {
        let (tally, config) = (self.tally(kept, keys, at), &self.config);
        let lane = kept.lane(keys);
        let mut account = lane.and_then(|lane| kept.accounts.peek_mut(&lane));
        let mut source = keys.source.and_then(|key| kept.sources.peek_mut(&key));
        let account = account.as_deref_mut();
        let mut source = source.as_deref_mut();
        FailureSignal {
            tally,
            is_new_by_subject: account
                .is_some_and(|it| it.tells(tally.by_subject, config.failures_by_subject)),
            is_new_by_address: source
                .as_mut()
                .is_some_and(|it| it.failures.tells(tally.by_address, config.failures_by_address)),
            is_new_by_subjects: source
                .is_some_and(|it| it.tells(tally.subjects, config.subjects_by_address)),
        }
    }

    fn advice(&self, kept: &Kept, keys: &Keys, at: Timestamp) -> Advice {
        let account = kept.lane(keys).and_then(|lane| kept.accounts.peek(&lane));
        let source = keys.source.and_then(|key| kept.sources.peek(&key));
        let config = &self.config;
        let by_subject = account.map_or(Advice::Allow, |failures| {
            for_subject(failures.run, failures.age(at), &config.throttle)
        });
        let by_source = source.map_or(Advice::Allow, |source| {
            let count = source.failures.count(at, config.failures_by_address.window);
            for_source(count, source.failures.age(at), config)
        });
        by_subject.max(by_source)
    }
}

impl Kept {
    /// Whether the subject has signed in from there before.
    fn is_home(&self, keys: &Keys) -> bool {
        keys.home.is_some_and(|home| self.homes.contains_key(&home))
    }

    /// Where the failures of an attempt are counted. What strangers do from elsewhere does not
    /// make the subject wait where it has signed in before.
    fn lane(&self, keys: &Keys) -> Option<u64> {
        keys.lanes.map(|lanes| lanes[usize::from(self.is_home(keys))])
    }

    fn failures(&self, keys: &Keys, at: Timestamp, within: std::time::Duration) -> u32 {
        let lanes = keys.lanes.into_iter().flatten();
        let counts = lanes.filter_map(|lane| self.accounts.peek(&lane));
        counts.fold(0, |sum, failures| sum.saturating_add(failures.count(at, within)))
    }
}

/// Does something with an entry, which is made if it is not there.
fn entry<T: Default>(cache: &mut Cache<u64, T>, key: u64, change: impl FnOnce(&mut T)) {
    let Ok(kept) = cache.get_mut_or_insert_with(&key, || Ok::<_, Infallible>(T::default()));
    if let Some(mut kept) = kept {
        change(&mut kept);
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("accounts", &self.accounts.len())
            .field("sources", &self.sources.len())
            .field("homes", &self.homes.len())
            .finish()
    }
}
