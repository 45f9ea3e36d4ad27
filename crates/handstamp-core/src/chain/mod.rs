//! The chain that seals the audit log: each batch of events is linked to the one before it.
//!
//! `link n = HMAC-SHA-256(audit key, link n−1 ‖ digests of batch n)`, one chain per writer. The
//! store computes the link inside the transaction that commits the events; the key comes from the
//! key ring, which lies outside the store, so whoever writes to the database cannot mend a chain.
//!
//! Two things may go from a chain and leave it whole: personal parts that a [mark](Marks) in some
//! chain says were erased, and the oldest batches, where a signed [`Cut`] takes their place. What
//! was taken off the end shows against a [`Checkpoint`] that was kept elsewhere.

mod checkpoint;
mod cut;
mod marks;
mod walk;

pub use checkpoint::{Checkpoint, ParseCheckpointError};
pub use cut::Cut;
pub use marks::Marks;
pub use walk::{BrokenAt, Flaw, Walk, verify_chain};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::encoding::serde_bytes;
use crate::event::Event;
use crate::key::KeyRing;
use crate::token::mac;

/// What seals a batch to everything before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl Link {
    /// What stands before the first batch of a chain.
    pub const START: Self = Self([0; 32]);
}

/// A place in a chain, after one of its batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChainEnd {
    /// Whose chain.
    pub writer: u32,
    /// The batch, by number; 0 before the first.
    pub batch: u64,
    /// The last event up to there, by number.
    pub event: u64,
    /// The link of the batch.
    pub link: Link,
}

impl ChainEnd {
    /// Before the first batch of `writer`.
    pub const fn start(writer: u32) -> Self {
        Self { writer, batch: 0, event: 0, link: Link::START }
    }
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

    /// Signs `text` as what `label` says it is; answers the id of the key that was used, too. No
    /// link is ever such a signature.
    fn sign(&self, label: &str, text: &[u8]) -> (u8, [u8; 32]) {
        let root = self.keys.active();
        (root.id(), mac(&root.signing_key(label), &[text]))
    }

    fn is_signed(&self, label: &str, text: &[u8], key_id: u8, signature: &[u8; 32]) -> bool {
        let Some(root) = self.keys.find_for_audit(key_id) else { return false };
        mac(&root.signing_key(label), &[text]).ct_eq(signature).into()
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

#[cfg(test)]
mod tests;
