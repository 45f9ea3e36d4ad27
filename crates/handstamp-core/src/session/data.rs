//! Typed data under keys.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use super::inner::Plain;
use crate::data::{self, DataError, JsonText};
use crate::delta::Op;
use crate::error::SessionError;

impl Session {
    /// The value under `key`; `None` if there is none.
    ///
    /// # Errors
    /// [`DataError::Decode`] when what is stored is not a `T`; retrying never helps.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, DataError> {
        let value = match self.0.read() {
            Plain::Live(known) => {
                let value = known.cached.record.data.get(key);
                return value.map(|json| data::decode(key, json)).transpose();
            }
            Plain::Nobody => return Ok(None),
            Plain::Not => self.lock().value(key),
        };
        value.map(|json| data::decode(key, &json)).transpose()
    }

    /// Puts `value` under `key`. Other keys are left alone, whoever writes at the same time.
    ///
    /// # Errors
    /// [`DataError`] when the key is empty, the value cannot be written as JSON, or a size limit
    /// would be passed. Nothing is stored then.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), DataError> {
        let json = data::encode(key, value)?;
        self.change(Op::Set(data::checked_key(key)?, json))
    }

    /// Changes the value under `key` by what is there, without losing anybody's change.
    ///
    /// `change` runs at once and may run again at the commit, on the value that is there then, so
    /// it must depend on nothing but its argument. What it answers is of the first run.
    /// `None` in its argument is "no value", before and after.
    ///
    /// # Errors
    /// As [`set`](Self::set) and [`get`](Self::get); [`DataError::Panicked`] when `change` does.
    ///
    /// # Examples
    /// ```
    /// # fn visit(session: &handstamp_core::Session) -> Result<(), handstamp_core::data::DataError> {
    /// let visits = session.update("visits", |count: &mut Option<u64>| {
    ///     *count.get_or_insert(0) += 1;
    ///     count.unwrap_or(0)
    /// })?;
    /// # Ok(()) }
    /// ```
    pub fn update<T, R, F>(&self, key: &str, mut change: F) -> Result<R, DataError>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(&mut Option<T>) -> R + Send + 'static,
    {
        let name = data::checked_key(key)?;
        let own = Arc::clone(&name);
        let mut run = move |json: Option<&JsonText>| {
            let mut value = json.map(|json| data::decode(&own, json)).transpose()?;
            let answer = catch_unwind(AssertUnwindSafe(|| change(&mut value)));
            let answer = answer.map_err(|_| DataError::Panicked)?;
            let json = value.map(|value| data::encode(&own, &value)).transpose()?;
            Ok::<_, DataError>((answer, json))
        };
        // No lock is held while `change` runs: it may use this very session.
        let before = self.lock().value(key);
        let (answer, json) = run(before.as_ref())?;
        let op = Op::Update(name, Box::new(move |json| Ok(run(json)?.1)));
        let sizes = self.engine().sizes();
        match self.lock().change_to(op, json, sizes) {
            Err(SessionError::Data(error)) => Err(error),
            Ok(()) | Err(_) => Ok(answer),
        }
    }

    /// Puts `new` under `key` (`None` removes) if `expected` is there; answers whether it was.
    ///
    /// Checked now and again at the commit, which fails with
    /// [`SessionError::Conflict`] if another request was faster.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn compare_and_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        expected: Option<&T>,
        new: Option<&T>,
    ) -> Result<bool, DataError> {
        let expected = expected.map(|value| data::encode(key, value)).transpose()?;
        let new = new.map(|value| data::encode(key, value)).transpose()?;
        let op = Op::CompareAndSet(data::checked_key(key)?, expected, new);
        let sizes = self.engine().sizes();
        match self.lock().change(op, sizes) {
            Ok(()) => Ok(true),
            Err(SessionError::Data(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Removes what is under `key`; answers whether there was anything.
    pub fn remove(&self, key: &str) -> bool {
        self.has(key) && self.change(Op::Remove(key.into())).is_ok()
    }

    /// Whether there is anything under `key`.
    pub fn has(&self, key: &str) -> bool {
        match self.0.read() {
            Plain::Live(known) => known.cached.record.data.get(key).is_some(),
            Plain::Nobody => false,
            Plain::Not => self.lock().value(key).is_some(),
        }
    }

    /// The keys that hold something, sorted.
    pub fn keys(&self) -> Vec<Arc<str>> {
        self.lock().look(|content| content.data.iter().map(|(key, _)| Arc::clone(key)).collect())
    }

    /// Removes all values and messages. The session and who it belongs to stay.
    pub fn clear(&self) {
        let is_empty =
            self.lock().look(|content| content.data.is_empty() && content.flash.is_empty());
        if !is_empty {
            // Removing cannot pass a limit; a destroyed session holds nothing anyway.
            let _ = self.change(Op::Clear);
        }
    }

    /// Makes a change. After `destroy` there is nothing to change, and nothing is.
    pub(super) fn change(&self, op: Op) -> Result<(), DataError> {
        let sizes = self.engine().sizes();
        match self.lock().change(op, sizes) {
            Err(SessionError::Data(error)) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
