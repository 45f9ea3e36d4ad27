//! Where the oldest batches of a chain were cut off.

use serde::{Deserialize, Serialize};

use super::{ChainEnd, Sealer};
use crate::encoding::serde_bytes;

const LABEL: &str = "audit cut 1";

/// Says, signed, that a chain begins after this place and what its first batch follows from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cut {
    /// The last place that is gone.
    pub end: ChainEnd,
    /// The root key that signed it.
    pub key_id: u8,
    /// The signature.
    #[serde(with = "serde_bytes")]
    pub signature: [u8; 32],
}

impl Sealer {
    /// Signs that a chain was cut off up to `end`, which was in it.
    pub fn cut(&self, end: ChainEnd) -> Cut {
        let (key_id, signature) = self.sign(LABEL, &text(&end));
        Cut { end, key_id, signature }
    }

    /// Whether this key ring signed `cut`.
    pub fn is_cut(&self, cut: &Cut) -> bool {
        self.is_signed(LABEL, &text(&cut.end), cut.key_id, &cut.signature)
    }
}

fn text(end: &ChainEnd) -> Vec<u8> {
    let ChainEnd { writer, batch, event, link } = end;
    [&writer.to_be_bytes()[..], &batch.to_be_bytes(), &event.to_be_bytes(), &link.0].concat()
}
