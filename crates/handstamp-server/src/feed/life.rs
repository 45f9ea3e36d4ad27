//! The name of the log that a process counts: drawn at its start, and recognised by those that come
//! after it on the same store.

use handstamp_core::id::PartitionKey;
use handstamp_core::random::{RandomError, Rng, random};
use sha2::{Digest, Sha256};

/// Names the logs of one process: how many commits it made, and what it told.
///
/// The name is new with every start, so that a store that was restored from a backup never
/// continues numbers that verifiers have seen. Its second half is made from the first and a key of
/// the store: whoever has the store tells a predecessor's name from one that was made up.
#[derive(Debug)]
pub(super) struct Life {
    name: u64,
    key: PartitionKey,
}

impl Life {
    /// Draws a name.
    ///
    /// # Errors
    /// [`RandomError`] when no random bytes can be had.
    pub(super) fn draw(key: &PartitionKey, rng: &dyn Rng) -> Result<Self, RandomError> {
        let drawn = u32::from_be_bytes(random(rng)?);
        Ok(Self { name: name(key, drawn), key: key.clone() })
    }

    /// The log of commits.
    pub(super) const fn log(&self) -> u64 {
        self.name
    }

    /// The log of what was told.
    pub(super) const fn feed(&self) -> u64 {
        !self.name
    }

    /// Whether `log` was named by a process that had the same store before this one.
    pub(super) fn is_former(&self, log: u64) -> bool {
        let is_name =
            |log: u64| u32::try_from(log >> 32).is_ok_and(|it| name(&self.key, it) == log);
        let is_own = log == self.log() || log == self.feed();
        !is_own && (is_name(log) || is_name(!log))
    }
}

fn name(key: &PartitionKey, drawn: u32) -> u64 {
    let hash = Sha256::new()
        .chain_update(key.as_bytes())
        .chain_update("handstamp feed")
        .chain_update(drawn.to_be_bytes())
        .finalize();
    let mark = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    (u64::from(drawn) << 32) | u64::from(mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::random::SystemRng;

    #[test]
    fn a_predecessor_is_recognised_and_a_stranger_is_not() {
        let key = PartitionKey::from_bytes([7; 32]);
        let life = |key: &PartitionKey| Life::draw(key, &SystemRng).unwrap();
        let (one, next) = (life(&key), life(&key));
        assert!(next.is_former(one.log()) && next.is_former(one.feed()));
        assert!(!next.is_former(next.log()) && !next.is_former(next.feed()));
        assert!(!next.is_former(life(&PartitionKey::from_bytes([8; 32])).log()));
        assert!(!next.is_former(one.log() ^ 1));
        assert!(!next.is_former(1));
    }
}
