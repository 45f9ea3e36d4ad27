//! What an application stores in a session: values as JSON text under keys, and flash messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A JSON document as text, cheap to clone, decoded when it is read.
pub type JsonText = Arc<str>;

/// The values of a session: key to JSON text. Clones share the map until one is changed.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(Arc<BTreeMap<Arc<str>, JsonText>>);

/// Shows the keys and no value.
impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Data {
    /// The JSON text under `key`.
    pub fn get(&self, key: &str) -> Option<&JsonText> {
        self.0.get(key)
    }

    /// Puts `value` under `key`.
    pub fn insert(&mut self, key: Arc<str>, value: JsonText) {
        Arc::make_mut(&mut self.0).insert(key, value);
    }

    /// Removes what is under `key`; tells whether there was anything.
    pub fn remove(&mut self, key: &str) -> bool {
        self.0.contains_key(key) && Arc::make_mut(&mut self.0).remove(key).is_some()
    }

    /// Keys and values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &JsonText)> {
        self.0.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all keys and values together: what the size limit counts.
    pub fn weight(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// A message to be shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// Tells two messages of one key apart.
    #[serde(with = "crate::encoding::serde_bytes")]
    pub id: [u8; 8],
    /// What sort of message it is: "success", "error".
    pub key: Arc<str>,
    /// The message, JSON text.
    pub value: JsonText,
}

/// Shows the sort and not the message.
impl std::fmt::Debug for Flash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flash").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What is wrong with a JSON text, without a word of it: values may be secrets, and errors are
/// logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct JsonFault {
    what: &'static str,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for JsonFault {
    fn from(error: serde_json::Error) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Io => "the value could not be written",
            serde_json::error::Category::Syntax => "not JSON",
            serde_json::error::Category::Data => "not of the type",
            serde_json::error::Category::Eof => "cut off",
        };
        Self { what, line: error.line(), column: error.column() }
    }
}

/// A value does not fit its key, its type or its limit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The value cannot be written as JSON. Retrying with the same value never helps.
    #[error("the value for {key:?} cannot be written as JSON")]
    Encode {
        /// The key it was meant for.
        key: Arc<str>,
        /// What the encoder said.
        #[source]
        source: JsonFault,
    },
    /// What is stored is not of the type that was asked for.
    #[error("the value under {key:?} is not of the type asked for")]
    Decode {
        /// The key it is under.
        key: Arc<str>,
        /// What the decoder said.
        #[source]
        source: JsonFault,
    },
    /// The key is empty or longer than 255 bytes.
    #[error("a key has 1 to 255 bytes")]
    Key,
    /// One value, or all of them together, would pass the configured limit. Nothing was stored.
    #[error("{size} bytes under {key:?} pass the limit of {limit}; store a reference instead")]
    TooLarge {
        /// The key that was to be set.
        key: Arc<str>,
        /// Bytes that it would have come to.
        size: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// An `update` closure panicked; its change was dropped.
    #[error("the closure given to update panicked")]
    Panicked,
}

/// Writes `value` as JSON text for `key`.
pub(crate) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<JsonText, DataError> {
    serde_json::to_string(value)
        .map(Arc::from)
        .map_err(|error| DataError::Encode { key: key.into(), source: error.into() })
}

/// A key that something may be stored under.
pub(crate) fn checked_key(key: &str) -> Result<Arc<str>, DataError> {
    if (1..=255).contains(&key.len()) { Ok(key.into()) } else { Err(DataError::Key) }
}

/// Reads the JSON text under `key`.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, json: &str) -> Result<T, DataError> {
    serde_json::from_str(json)
        .map_err(|error| DataError::Decode { key: key.into(), source: error.into() })
}
