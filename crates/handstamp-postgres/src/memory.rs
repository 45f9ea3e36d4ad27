//! What this process knows by heart of what it wrote last.
//!
//! It may be behind at any time, for others write as well. So nothing is believed: a batch that is
//! decided on it is written only if the server finds everything as it was decided on
//! ([`Seen`]), and is decided on the locked rows otherwise.

use std::fmt;

use handstamp_core::head::Deployment;
use handstamp_core::id::{SessionId, Subject};
use quick_cache::unsync::Cache;

use crate::fault::Fault;
use crate::known::{Kept, Known, Stamps};
use crate::rows::signed;

/// So many heads and so many records, the ones used last; some 200 bytes each.
const MOST: usize = 32 * 1024;

/// What was written last.
pub(crate) struct Memory {
    deployment: Option<Deployment>,
    heads: Cache<Subject, Kept>,
    records: Cache<SessionId, Stamps>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { deployment: None, heads: Cache::new(MOST), records: Cache::new(MOST) }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (heads, records) = (self.heads.len(), self.records.len());
        f.debug_struct("Memory").field("heads", &heads).field("records", &records).finish()
    }
}

/// What a batch concerns and nothing is known of.
#[derive(Default)]
pub(crate) struct Missing<'a> {
    pub(crate) subjects: Vec<&'a Subject>,
    pub(crate) ids: Vec<SessionId>,
}

impl Memory {
    /// What is known of `subjects` and `ids`, and of which of them nothing is.
    pub(crate) fn recall<'a>(
        &self,
        subjects: impl Iterator<Item = &'a Subject>,
        ids: impl Iterator<Item = SessionId>,
    ) -> (Known, Missing<'a>) {
        let (mut known, mut missing) = (Known::default(), Missing::default());
        let epoch = self.deployment.map(|deployment| deployment.epoch);
        known.deployment = self.deployment.unwrap_or_default();
        for subject in subjects {
            match self.heads.get(subject).filter(|_| epoch.is_some()) {
                Some(kept) => drop(known.heads.insert(subject.clone(), Ok(kept.clone()))),
                None => missing.subjects.push(subject),
            }
        }
        for id in ids {
            match self.records.get(&id).filter(|_| epoch.is_some()) {
                Some(stamps) => drop(known.records.insert(id, Ok(stamps.clone()))),
                None => missing.ids.push(id),
            }
        }
        (known, missing)
    }

    /// Learns what has been committed. When the deployment's epoch has moved, the counts of all
    /// heads are of another.
    pub(crate) fn learn(&mut self, known: Known) {
        if self.deployment != Some(known.deployment) {
            self.heads.clear();
            self.deployment = Some(known.deployment);
        }
        for (subject, kept) in known.heads {
            if let Ok(kept) = kept {
                let stamp = kept.stamp + i64::from(kept.is_changed);
                self.heads.insert(subject, Kept { stamp, is_changed: false, ..kept });
            }
        }
        for (id, stamps) in known.records {
            match stamps {
                Ok(stamps) if !stamps.is_tombstone() => self.records.insert(id, stamps),
                _ => drop(self.records.remove(&id)),
            }
        }
    }

    /// Forgets what turned out to be otherwise.
    pub(crate) fn forget<'a>(
        &mut self,
        subjects: impl Iterator<Item = &'a Subject>,
        ids: impl Iterator<Item = SessionId>,
    ) {
        self.deployment = None;
        subjects.for_each(|subject| drop(self.heads.remove(subject)));
        ids.for_each(|id| drop(self.records.remove(&id)));
    }
}

/// What a batch was decided on, for the server to compare. A head that says nothing may be removed
/// and made anew, so its stamp alone does not tell; one of a version never is.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) subjects: Vec<String>,
    pub(crate) stamps: Vec<i64>,
    pub(crate) versions: Vec<i64>,
    pub(crate) lives: Vec<i64>,
    pub(crate) ids: Vec<[u8; SessionId::LEN]>,
    pub(crate) record_versions: Vec<i64>,
    pub(crate) last_seen: Vec<i64>,
}

impl Seen {
    /// All of `known`; `None` where something of it cannot be read.
    pub(crate) fn of(known: &Known) -> Option<Self> {
        let mut seen = Self::default();
        for kept in known.heads.values() {
            seen.see_head(kept.as_ref().ok()?).ok()?;
        }
        for (id, stamps) in &known.records {
            let stamps = stamps.as_ref().ok()?;
            seen.ids.push(*id.as_bytes());
            seen.record_versions.push(signed(stamps.version).ok()?);
            seen.last_seen.push(stamps.last_seen.as_millis());
        }
        Some(seen)
    }

    fn see_head(&mut self, kept: &Kept) -> Result<(), Fault> {
        self.subjects.push(kept.head.subject.as_str().to_owned());
        self.stamps.push(kept.stamp);
        self.versions.push(signed(kept.head.version)?);
        self.lives.push(i64::from(kept.head.live));
        Ok(())
    }
}
