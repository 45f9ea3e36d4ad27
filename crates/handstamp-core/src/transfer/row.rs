//! Plain rows.

use std::fmt;

use sha2::{Digest, Sha256};

/// What stands in a column. `Debug` tells only of what sort it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number; a flag is 0 or 1.
    Number(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        })
    }
}

/// As a key is told: numbers and texts as they are, bytes in base64url.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("-"),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{:?}", text.as_str()),
            Self::Bytes(bytes) => f.write_str(&crate::encoding::encode(bytes)),
        }
    }
}

/// The values of one row, in the order of its table's columns.
pub type Row = Vec<Value>;

/// Adds a row to a digest, so that no two lists of rows say the same.
pub(super) fn digest(hash: &mut Sha256, row: &[Value]) {
    for value in row {
        let (sort, bytes): (u8, &[u8]) = match value {
            Value::Null => (0, &[]),
            Value::Number(number) => (1, &number.to_be_bytes()),
            Value::Text(text) => (2, text.as_bytes()),
            Value::Bytes(bytes) => (3, bytes),
        };
        hash.update([sort]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
}
