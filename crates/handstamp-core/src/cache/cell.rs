//! The head of a subject, as all its sessions in the cache see it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::head::Head;

/// A subject's head as this process knows it: one cell per subject, shared by all its sessions.
#[derive(Debug)]
pub(crate) struct HeadCell {
    head: RwLock<Arc<Head>>,
    /// The epoch whose sessions may be live, for the hot path; [`NO_EPOCH`] while the subject is
    /// disabled, or while another process is known to have made a later head.
    allowed: AtomicU64,
    /// The latest version that was heard of.
    heard: AtomicU64,
}

/// The epoch of nobody: no head counts so far.
const NO_EPOCH: u64 = u64::MAX;

fn allowed_by(head: &Head) -> u64 {
    if head.is_disabled { NO_EPOCH } else { head.epoch }
}

impl HeadCell {
    pub(crate) fn get(&self) -> Arc<Head> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a session of `epoch` may be live: [`Head::allows`], without a lock.
    pub(super) fn allows(&self, epoch: u64) -> bool {
        epoch != NO_EPOCH && self.allowed.load(Ordering::Acquire) == epoch
    }

    /// Looks at the head without taking a share in it.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Head) -> T) -> T {
        look(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn new(head: &Head) -> Self {
        let allowed = allowed_by(head).into();
        let heard = head.version.into();
        Self { head: RwLock::new(Arc::new(head.clone())), allowed, heard }
    }

    /// Takes `head` over unless a later one is known.
    pub(super) fn learn(&self, head: &Head) {
        let mut held = self.head.write().unwrap_or_else(PoisonError::into_inner);
        if head.version >= held.version {
            *held = Arc::new(head.clone());
            let is_latest = head.version >= self.heard.load(Ordering::Relaxed);
            let allowed = if is_latest { allowed_by(head) } else { NO_EPOCH };
            self.allowed.store(allowed, Ordering::Release);
        }
    }

    /// Hears that there is a head of this `version` and `epoch`: until it is learnt, nothing is
    /// allowed. Answers whether that is news. Where the epoch of the same version is another, the one
    /// that is held was lost.
    pub(super) fn hear(&self, version: u64, epoch: u64) -> bool {
        let mut held = self.head.write().unwrap_or_else(PoisonError::into_inner);
        if version < held.version && epoch > held.epoch {
            // The one that is held was lost as well: whatever is loaded next counts.
            Arc::make_mut(&mut held).version = 0;
            self.heard.store(version, Ordering::Relaxed);
        }
        self.heard.fetch_max(version, Ordering::Relaxed);
        let is_other = version == held.version && epoch != held.epoch;
        let is_news = version > held.version || is_other;
        if is_news {
            self.allowed.store(NO_EPOCH, Ordering::Release);
        }
        is_news
    }

    /// Whatever is known of it may never have been: nothing is allowed to who still holds it.
    pub(super) fn forget(&self) {
        self.allowed.store(NO_EPOCH, Ordering::Release);
    }
}
