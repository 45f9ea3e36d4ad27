//! Cursors: opaque to everybody else, and refused unless this store gave them for this list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_core::id::{PartitionKey, SessionId};
use handstamp_core::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::fault::Fault;

/// Bytes that show that the store made the cursor.
const MARK: usize = 8;

/// Makes and reads the cursors of one sort of list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursors<'a> {
    key: &'a PartitionKey,
    list: &'static str,
}

impl<'a> Cursors<'a> {
    /// The cursors of `list`. The key is known to nobody outside, so nobody else makes them.
    pub(crate) const fn new(key: &'a PartitionKey, list: &'static str) -> Self {
        Self { key, list }
    }

    /// The cursor that says `place`.
    pub(crate) fn write<const N: usize>(&self, place: &[u8; N]) -> String {
        let mut bytes = place.to_vec();
        bytes.extend_from_slice(&self.mark(place));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that `cursor` says.
    pub(crate) fn read<const N: usize>(&self, cursor: &str) -> Result<[u8; N], Fault> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Fault::Cursor)?;
        let (place, mark) = bytes.split_first_chunk::<N>().ok_or(Fault::Cursor)?;
        if *mark == self.mark(place) { Ok(*place) } else { Err(Fault::Cursor) }
    }

    /// The number that `cursor` says.
    pub(crate) fn read_number(&self, cursor: &str) -> Result<i64, Fault> {
        self.read(cursor).map(i64::from_be_bytes)
    }

    /// The number of the list: the same for as long as the data lives, and another in any other
    /// database.
    pub(crate) fn log(&self) -> u64 {
        u64::from_be_bytes(self.mark(&[]))
    }

    fn mark(&self, place: &[u8]) -> [u8; MARK] {
        let hash = Sha256::new()
            .chain_update(self.key.as_bytes())
            .chain_update(self.list)
            .chain_update(place)
            .finalize();
        let mut mark = [0; MARK];
        mark.copy_from_slice(&hash[..MARK]);
        mark
    }
}

/// Where a page of records ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// When the last record began.
    pub(crate) created_at: Timestamp,
    /// Its id.
    pub(crate) id: SessionId,
}

impl Place {
    /// Before the first record.
    pub(crate) const START: Self =
        Self { created_at: Timestamp::MAX, id: SessionId::from_bytes([0xff; SessionId::LEN]) };

    /// As bytes.
    pub(crate) fn to_bytes(self) -> [u8; 26] {
        let mut bytes = [0; 26];
        bytes[..8].copy_from_slice(&self.created_at.as_millis().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        bytes
    }

    /// From bytes.
    pub(crate) fn from_bytes(bytes: &[u8; 26]) -> Self {
        let (mut created_at, mut id) = ([0; 8], [0; SessionId::LEN]);
        created_at.copy_from_slice(&bytes[..8]);
        id.copy_from_slice(&bytes[8..]);
        let created_at = Timestamp::from_millis(i64::from_be_bytes(created_at));
        Self { created_at, id: SessionId::from_bytes(id) }
    }
}
