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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, Personal};
    use crate::id::EventId;
    use crate::time::Timestamp;

    fn event(number: u64) -> Event {
        let id = EventId::from_bytes([u8::try_from(number).unwrap(); 16]);
        let mut event = Event::new(id, Timestamp::from_millis(9), Action::SessionStarted, [3; 16]);
        event.set_personal(Personal { identifier: Some("x".into()), ..Personal::default() });
        (event.writer, event.number) = (1, number);
        event
    }

    /// Four batches of two events.
    fn chain(sealer: &Sealer) -> Vec<SealedBatch> {
        let mut before = Link::START;
        let batch = |number| {
            let events = vec![event(number * 2 - 1), event(number * 2)];
            let (key_id, link) = sealer.seal(&before, &events);
            before = link;
            SealedBatch { writer: 1, number, key_id, link, events }
        };
        (1..=4).map(batch).collect()
    }

    fn first_bad(sealer: &Sealer, chain: &[SealedBatch]) -> Option<u64> {
        verify_chain(sealer, 0, Link::START, chain).err().map(|broken| broken.batch)
    }

    /// Shows B06.
    #[test]
    fn s106_an_edited_dropped_or_reordered_event_is_found_by_its_batch() {
        let sealer = Sealer::new(KeyRing::generate().unwrap());
        let good = chain(&sealer);
        assert_eq!(first_bad(&sealer, &good), None);
        let bend = |bend: fn(&mut Vec<SealedBatch>)| {
            let mut chain = good.clone();
            bend(&mut chain);
            first_bad(&sealer, &chain)
        };
        assert_eq!(bend(|chain| chain[2].events[1].is_success = false), Some(3));
        assert_eq!(bend(|chain| drop(chain[1].events.remove(0))), Some(2));
        assert_eq!(bend(|chain| chain[1].events.swap(0, 1)), Some(2));
        assert_eq!(bend(|chain| drop(chain.remove(1))), Some(3));
        assert_eq!(bend(|chain| chain.swap(1, 2)), Some(3));
        assert_eq!(bend(|chain| chain[3].link.0[0] ^= 1), Some(4));
    }

    #[test]
    fn a_blanked_personal_part_keeps_the_chain_and_a_changed_one_breaks_it() {
        let sealer = Sealer::new(KeyRing::generate().unwrap());
        let mut erased = chain(&sealer);
        erased[1].events[0].personal = None;
        assert_eq!(first_bad(&sealer, &erased), None);
        erased[1].events[0].personal = Some(Personal::default());
        assert_eq!(first_bad(&sealer, &erased), Some(2));
    }

    #[test]
    fn a_chain_sealed_by_another_ring_does_not_verify_and_one_by_a_retired_key_does() {
        let keys = KeyRing::generate().unwrap();
        let sealer = Sealer::new(keys.clone());
        let sealed = chain(&sealer);
        keys.retire(1).unwrap();
        assert_eq!(first_bad(&sealer, &sealed), None);
        let other = Sealer::new(KeyRing::generate().unwrap());
        assert_eq!(first_bad(&other, &sealed), Some(1));
    }
}
