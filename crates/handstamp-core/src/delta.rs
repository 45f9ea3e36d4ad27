//! What one request changes in a session: operations that are applied to whatever is latest, and
//! applied again when another writer was faster.

use std::sync::Arc;

use crate::data::{Data, DataError, Flash, JsonText};
use crate::error::SessionError;
use crate::record::Record;

/// Changes one value: what is there goes in, what is to be there comes out.
pub(crate) type Change =
    Box<dyn FnMut(Option<&JsonText>) -> Result<Option<JsonText>, DataError> + Send>;

/// One change of a session's content.
pub(crate) enum Op {
    Set(Arc<str>, JsonText),
    Remove(Arc<str>),
    Clear,
    Update(Arc<str>, Change),
    /// Key, what must be there, what is to be there.
    CompareAndSet(Arc<str>, Option<JsonText>, Option<JsonText>),
    Flash(Flash),
    TakeFlash([u8; 8]),
    CsrfSeed([u8; 16]),
}

/// What a handler may change: everything in a record that decides nothing about who somebody is.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Content {
    pub(crate) data: Data,
    pub(crate) flash: Vec<Flash>,
    pub(crate) csrf_seed: [u8; 16],
    /// Bytes that the session holds beside what a handler may change: they count too.
    pub(crate) beside: usize,
}

/// The most that a session may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) value: usize,
    pub(crate) session: usize,
}

/// What an error calls the claims of a sign-in.
const CLAIMS: &str = "claims";

impl Content {
    pub(crate) fn of(record: &Record) -> Self {
        let content = Self {
            data: record.data.clone(),
            flash: record.flash.clone(),
            csrf_seed: record.csrf_seed,
            beside: 0,
        };
        content.with_beside(record.profile.claims.as_ref(), &record.amr)
    }

    /// The same beside these claims and methods of sign-in.
    pub(crate) fn with_beside(self, claims: Option<&JsonText>, amr: &[Arc<str>]) -> Self {
        let methods = amr.iter().map(|method| method.len()).sum::<usize>();
        Self { beside: claims.map_or(0, |claims| claims.len()) + methods, ..self }
    }

    /// Refuses what the claims of a sign-in make too large.
    pub(crate) fn check(self, sizes: Sizes) -> Result<Self, DataError> {
        check(&CLAIMS.into(), self.weight(), sizes.session).map(|()| self)
    }

    pub(crate) fn put_into(self, record: &mut Record) {
        record.csrf_seed = self.csrf_seed;
        self.put_values_into(record);
    }

    /// Puts into a record what may cross from one session to another.
    pub(crate) fn put_values_into(self, record: &mut Record) {
        (record.data, record.flash) = (self.data, self.flash);
    }

    /// The same with `values` put in, each in the place of what is under its key.
    pub(crate) fn with(mut self, values: &Data, sizes: Sizes) -> Result<Self, DataError> {
        for (key, value) in values.iter() {
            self.put(key, Some(Arc::clone(value)), sizes)?;
        }
        Ok(self)
    }

    fn weight(&self) -> usize {
        let flash = self.flash.iter().map(|flash| flash.key.len() + flash.value.len());
        self.data.weight() + flash.sum::<usize>() + self.beside
    }

    /// Applies one operation, all or nothing.
    pub(crate) fn apply(&mut self, op: &mut Op, sizes: Sizes) -> Result<(), SessionError> {
        match op {
            Op::Set(key, value) => self.put(key, Some(Arc::clone(value)), sizes)?,
            Op::Remove(key) => {
                self.data.remove(key);
            }
            Op::Clear => (self.data, self.flash) = (Data::default(), Vec::new()),
            Op::Update(key, change) => {
                let value = change(self.data.get(key))?;
                self.put(key, value, sizes)?;
            }
            Op::CompareAndSet(key, expected, new) => {
                if self.data.get(key) != expected.as_ref() {
                    return Err(SessionError::Conflict);
                }
                self.put(key, new.clone(), sizes)?;
            }
            Op::Flash(flash) => self.add_flash(flash, sizes)?,
            Op::TakeFlash(id) => self.flash.retain(|flash| flash.id != *id),
            Op::CsrfSeed(seed) => self.csrf_seed = *seed,
        }
        Ok(())
    }

    fn put(
        &mut self,
        key: &Arc<str>,
        value: Option<JsonText>,
        sizes: Sizes,
    ) -> Result<(), DataError> {
        let Some(value) = value else {
            self.data.remove(key);
            return Ok(());
        };
        let before = self.data.get(key).map_or(0, |old| key.len() + old.len());
        let total = self.weight() - before + key.len() + value.len();
        check(key, value.len(), sizes.value)?;
        check(key, total, sizes.session)?;
        self.data.insert(Arc::clone(key), value);
        Ok(())
    }

    fn add_flash(&mut self, flash: &Flash, sizes: Sizes) -> Result<(), DataError> {
        let total = self.weight() + flash.key.len() + flash.value.len();
        check(&flash.key, flash.value.len(), sizes.value)?;
        check(&flash.key, total, sizes.session)?;
        self.flash.push(flash.clone());
        Ok(())
    }
}

fn check(key: &Arc<str>, size: usize, limit: usize) -> Result<(), DataError> {
    if size <= limit {
        Ok(())
    } else {
        Err(DataError::TooLarge { key: Arc::clone(key), size, limit })
    }
}

/// The operations of one request, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Delta(Vec<Op>);

impl Delta {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over the operations of `later`, after its own.
    pub(crate) fn append(&mut self, later: &mut Self) {
        self.0.append(&mut later.0);
    }

    /// Puts `op` in the place of the latest operation.
    pub(crate) fn replace_last(&mut self, op: Op) {
        self.0.pop();
        self.0.push(op);
    }

    pub(crate) fn push(&mut self, op: Op) {
        self.0.push(op);
    }

    /// Applies all operations to a copy of `content`; answers the copy, or the first error.
    pub(crate) fn applied_to(
        &mut self,
        content: &Content,
        sizes: Sizes,
    ) -> Result<Content, SessionError> {
        let mut content = content.clone();
        for op in &mut self.0 {
            content.apply(op, sizes)?;
        }
        Ok(content)
    }
}

impl std::fmt::Debug for Delta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delta({} operations)", self.0.len())
    }
}
