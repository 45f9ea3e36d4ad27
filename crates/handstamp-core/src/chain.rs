//! The chain that seals the audit log: each batch of events is linked to the one before it.
//!
//! `link n = HMAC-SHA-256(audit key, link n−1 ‖ digests of batch n)`, one chain per writer. The
//! store computes the link inside the transaction that commits the events; the key comes from the
//! key ring, which lies outside the store, so whoever writes to the database cannot mend a chain.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::event::Event;
use crate::key::KeyRing;

/// What seals a batch to everything before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link(pub [u8; 32]);

impl Link {
    /// What stands before the first batch of a chain.
    pub const START: Self = Self([0; 32]);
}

/// Events that were committed together, with the link that seals them.
#[derive(Clone, PartialEq, Debug)]
pub struct SealedBatch {
    /// Whose chain.
    pub writer: u32,
    /// Where in the chain, from 1 without gaps.
    pub number: u64,
    /// The root key whose audit key made the link.
    pub key_id: u8,
    /// Over the link before and these events.
    pub link: Link,
    /// The events, by number.
    pub events: Vec<Event>,
}

/// Computes links. Handed to a store with every batch it commits.
#[derive(Clone, Debug)]
pub struct Sealer {
    keys: KeyRing,
}

impl Sealer {
    /// A sealer with the active key of `keys`.
    pub const fn new(keys: KeyRing) -> Self {
        Self { keys }
    }

    /// Seals `events`, whose writers and numbers are set, to what stands before them. Answers the
    /// id of the key that was used and the link.
    pub fn seal<'a>(
        &self,
        before: &Link,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> (u8, Link) {
        let root = self.keys.active();
        (root.id(), link(root.audit_key(), before, events))
    }

    /// Whether `batch` is what was sealed after `before`: neither changed, reordered, cut nor
    /// made with another key. A personal part that is still there must be the one that was sealed.
    pub fn verify(&self, before: &Link, batch: &SealedBatch) -> bool {
        let Some(root) = self.keys.find_for_audit(batch.key_id) else { return false };
        let expected = link(root.audit_key(), before, &batch.events);
        let intact = batch.events.iter().all(Event::is_personal_intact);
        intact && bool::from(expected.0.ct_eq(&batch.link.0))
    }
}

fn link<'a>(key: &[u8; 32], before: &Link, events: impl IntoIterator<Item = &'a Event>) -> Link {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Link::START };
    mac.update(&before.0);
    for event in events {
        mac.update(&event.digest());
    }
    Link(mac.finalize().into_bytes().into())
}

/// Why a chain does not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokenAt {
    /// Whose chain.
    pub writer: u32,
    /// The first batch that does not fit, by number.
    pub batch: u64,
    /// The first event in it, by number.
    pub event: u64,
}

/// Checks `batches` of one writer, in order, that follow `number` batches ending in `link`.
///
/// # Errors
/// [`BrokenAt`] names the first batch that does not follow from those before it.
pub fn verify_chain(
    sealer: &Sealer,
    mut number: u64,
    mut before: Link,
    batches: &[SealedBatch],
) -> Result<(u64, Link), BrokenAt> {
    for batch in batches {
        let follows = batch.number == number + 1
            && batch.events.iter().all(|event| event.writer == batch.writer)
            && batch.events.windows(2).all(|pair| pair[1].number == pair[0].number + 1);
        if !follows || !sealer.verify(&before, batch) {
            let event = batch.events.first().map_or(0, |event| event.number);
            return Err(BrokenAt { writer: batch.writer, batch: batch.number, event });
        }
        (number, before) = (batch.number, batch.link);
    }
    Ok((number, before))
}
