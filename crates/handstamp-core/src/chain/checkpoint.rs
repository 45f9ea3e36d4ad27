//! What the ends of all chains were at some time, to be kept where nobody who can write to the
//! store can reach it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ChainEnd, Sealer};
use crate::encoding::serde_bytes;
use crate::time::Timestamp;

const LABEL: &str = "audit checkpoint 1";

/// Says, signed, where every chain of a log ended at some time. As text it is one line of JSON.
///
/// # Security
/// Whoever can write to the store can cut off the end of a chain, and what is left verifies. A
/// checkpoint that is kept elsewhere (another machine, a printed log) shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    content: Content,
    key_id: u8,
    signature: [u8; 32],
}

/// What is signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Content {
    /// Milliseconds since the epoch.
    at: Timestamp,
    chains: Vec<ChainEnd>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    handstamp_checkpoint: u8,
    #[serde(flatten)]
    content: Content,
    key: u8,
    #[serde(with = "serde_bytes")]
    signature: [u8; 32],
}

/// The text is no checkpoint of a version that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint of an audit log")]
pub struct ParseCheckpointError;

impl Checkpoint {
    const VERSION: u8 = 1;

    /// When it was made.
    pub const fn at(&self) -> Timestamp {
        self.content.at
    }

    /// How many events there had been, in all chains.
    pub fn events(&self) -> u64 {
        self.content.chains.iter().map(|end| end.event).sum()
    }

    /// Where the chains ended.
    pub fn chains(&self) -> &[ChainEnd] {
        &self.content.chains
    }

    /// Where the chain of `writer` ended, if there was one.
    pub fn chain(&self, writer: u32) -> Option<ChainEnd> {
        self.content.chains.iter().find(|end| end.writer == writer).copied()
    }
}

impl Sealer {
    /// Signs that all chains ended at `chains` at the time `at`.
    pub fn checkpoint(&self, at: Timestamp, chains: Vec<ChainEnd>) -> Checkpoint {
        let content = Content { at, chains };
        let (key_id, signature) = self.sign(LABEL, &content.text());
        Checkpoint { content, key_id, signature }
    }

    /// Whether this key ring signed `checkpoint`.
    pub fn is_checkpoint(&self, checkpoint: &Checkpoint) -> bool {
        let Checkpoint { content, key_id, signature } = checkpoint;
        self.is_signed(LABEL, &content.text(), *key_id, signature)
    }
}

impl Content {
    fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = Line {
            handstamp_checkpoint: Self::VERSION,
            content: self.content.clone(),
            key: self.key_id,
            signature: self.signature,
        };
        f.write_str(&serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Checkpoint {
    type Err = ParseCheckpointError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let line: Line = serde_json::from_str(line.trim()).map_err(|_| ParseCheckpointError)?;
        if line.handstamp_checkpoint != Self::VERSION {
            return Err(ParseCheckpointError);
        }
        Ok(Self { content: line.content, key_id: line.key, signature: line.signature })
    }
}
