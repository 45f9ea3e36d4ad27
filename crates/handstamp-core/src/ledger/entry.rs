//! Entries, and what becomes of them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data::{DataError, JsonText};
use crate::store::Page;
use crate::time::Timestamp;

/// One document of a ledger.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Among what it stands.
    pub shelf: Arc<str>,
    /// Under what.
    pub key: Arc<str>,
    /// Moves on with each put; never the same twice.
    pub version: u64,
    /// What it says.
    pub body: JsonText,
    /// When somebody has to look at it.
    pub due_at: Option<Timestamp>,
}

impl Entry {
    /// What the entry says, as a `T`.
    ///
    /// # Errors
    /// [`DataError::Decode`] when it is no `T`; retrying never helps.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        serde_json::from_str(&self.body)
            .map_err(|error| DataError::Decode { key: Arc::clone(&self.key), source: error.into() })
    }
}

/// Shows where it stands, and not what it says: that may be for few eyes.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("shelf", &self.shelf)
            .field("key", &self.key)
            .field("version", &self.version)
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

/// A page of entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryPage {
    /// The entries, by key.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

impl EntryPage {
    /// The page out of `found`, which holds one entry more than asked for if there are more: for
    /// the authors of ledgers.
    pub fn cut(mut found: Vec<Entry>, page: &Page) -> Self {
        let has_more = found.len() > page.clamped();
        found.truncate(page.clamped());
        let last = found.last().filter(|_| has_more);
        Self { next: last.map(|entry| entry.key.to_string()), entries: found }
    }
}

/// What must stand under a key for a put to apply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// The entry of this version.
    Version(u64),
    /// Whatever there is.
    Any,
}

impl Expect {
    /// Whether the version that stands there, or nothing, is what is expected.
    pub fn accepts(self, version: Option<u64>) -> bool {
        match self {
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
            Self::Any => true,
        }
    }
}

/// What is to stand under a key, part of a write.
#[derive(Clone, PartialEq, Eq)]
pub struct Put {
    /// Among what.
    pub shelf: Arc<str>,
    /// Under what.
    pub key: Arc<str>,
    /// Only if this stands there now.
    pub expect: Expect,
    /// What the entry says from now on; `None` removes it.
    pub body: Option<JsonText>,
    /// When somebody has to look at it.
    pub due_at: Option<Timestamp>,
}

/// Shows where it goes, and not what it says: that may be for few eyes.
impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("shelf", &self.shelf)
            .field("key", &self.key)
            .field("expect", &self.expect)
            .field("removes", &self.body.is_none())
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

impl Put {
    /// The longest name of a shelf, in bytes.
    pub const MAX_SHELF: usize = 64;
    /// The longest key, in bytes.
    pub const MAX_KEY: usize = 512;
    /// The longest body, in bytes.
    pub const MAX_BODY: usize = 1024 * 1024;

    /// Puts `value` under `key`, whatever is there.
    ///
    /// # Errors
    /// [`DataError::Encode`] when it cannot be written as JSON; retrying never helps.
    pub fn new<T: Serialize + ?Sized>(
        shelf: &str,
        key: &str,
        value: &T,
    ) -> Result<Self, DataError> {
        let body = serde_json::to_string(value)
            .map_err(|error| DataError::Encode { key: key.into(), source: error.into() })?;
        Ok(Self { body: Some(body.into()), ..Self::removal(shelf, key) })
    }

    /// Removes what is under `key`, whatever it is.
    pub fn removal(shelf: &str, key: &str) -> Self {
        Self { shelf: shelf.into(), key: key.into(), expect: Expect::Any, body: None, due_at: None }
    }

    /// The same, only if nothing is there.
    #[must_use]
    pub fn if_absent(self) -> Self {
        Self { expect: Expect::Absent, ..self }
    }

    /// The same, only if this version is there.
    #[must_use]
    pub fn if_version(self, version: u64) -> Self {
        Self { expect: Expect::Version(version), ..self }
    }

    /// The same, due at `at`.
    #[must_use]
    pub fn due(self, at: Timestamp) -> Self {
        Self { due_at: Some(at), ..self }
    }

    /// Why it cannot be kept, whatever is there: for the authors of ledgers.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_name = |name: &str, most| (1..=most).contains(&name.len()) && !name.contains('\0');
        if !is_name(&self.shelf, Self::MAX_SHELF) {
            return Err("a shelf has a name of 1 to 64 bytes without a NUL");
        }
        if !is_name(&self.key, Self::MAX_KEY) {
            return Err("a key has 1 to 512 bytes without a NUL");
        }
        if self.body.as_ref().is_some_and(|body| body.len() > Self::MAX_BODY) {
            return Err("a body has at most 1 MiB");
        }
        Ok(())
    }

    /// Why the first of `puts` that cannot be kept cannot be: for the authors of ledgers.
    ///
    /// # Errors
    /// [`Written::Invalid`], which names it.
    pub fn check_all(puts: &[Self]) -> Result<(), Written> {
        let mut seen = HashSet::new();
        for (place, put) in puts.iter().enumerate() {
            let is_new = seen.insert((&put.shelf, &put.key));
            let second = Err("two puts of a write are for one key");
            if let Err(why) = put.check().and(if is_new { Ok(()) } else { second }) {
                return Err(Written::Invalid { place, why });
            }
        }
        Ok(())
    }
}

/// What came of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a write that met another's is not applied"]
pub enum Written {
    /// All of it was applied; every entry written has this version now. 0 when there was nothing to
    /// write.
    Applied(u64),
    /// Something else stands there; nothing was written.
    Conflict {
        /// The first put that does not fit, counted from 0.
        place: usize,
        /// What stands there.
        current: Option<Entry>,
    },
    /// It cannot be kept; nothing was written, and retrying never helps.
    Invalid {
        /// The first put that cannot be, counted from 0.
        place: usize,
        /// Why.
        why: &'static str,
    },
}

impl Written {
    /// Whether it was applied.
    pub const fn is_applied(&self) -> bool {
        matches!(self, Self::Applied(_))
    }
}
