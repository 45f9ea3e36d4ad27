//! Messages that are shown once.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use crate::data::{self, DataError, Flash};
use crate::delta::Op;
use crate::random::random;

impl Session {
    /// Leaves a message of sort `key` for whichever request shows it first, usually the one after
    /// a redirect.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn flash<T: Serialize + ?Sized>(&self, key: &str, message: &T) -> Result<(), DataError> {
        let value = data::encode(key, message)?;
        // An id that is not random would only make two equal messages go together.
        let id = random(&*self.engine().rng).unwrap_or_default();
        self.change(Op::Flash(Flash { id, key: key.into(), value }))
    }

    /// Takes the oldest message of sort `key`: it is shown once. `None` if there is none, or it is
    /// not a `T`.
    pub fn get_flash<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let found = self
            .lock()
            .look(|content| content.flash.iter().find(|flash| &*flash.key == key).cloned())?;
        self.change(Op::TakeFlash(found.id)).ok()?;
        data::decode(key, &found.value).ok()
    }

    /// Whether there is a message of sort `key`. It stays.
    pub fn has_flash(&self, key: &str) -> bool {
        self.lock().look(|content| content.flash.iter().any(|flash| &*flash.key == key))
    }

    /// Takes all messages, oldest first, with their sorts, as JSON text.
    pub fn take_flashes(&self) -> Vec<Flash> {
        let found = self.lock().look(|content| content.flash.clone());
        for flash in &found {
            // Taking cannot fail: it only removes.
            let _ = self.change(Op::TakeFlash(flash.id));
        }
        found
    }
}
