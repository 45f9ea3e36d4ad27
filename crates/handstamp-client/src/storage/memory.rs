//! A storage that ends with the program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Loaded, Lock, Replaced, Storage, StorageError, Stored, Version};

/// Keeps a session as long as the program runs. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    kept: Arc<Mutex<Loaded>>,
    refresher: Arc<Mutex<bool>>,
}

impl MemoryStorage {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock of whoever refreshes.
struct Turn(Arc<Mutex<bool>>);

impl Drop for Turn {
    fn drop(&mut self) {
        *locked(&self.0) = false;
    }
}

impl Storage for MemoryStorage {
    fn load(&self) -> Result<Loaded, StorageError> {
        Ok(locked(&self.kept).clone())
    }

    fn replace(
        &self,
        expected: Option<&Version>,
        stored: &Stored,
    ) -> Result<Replaced, StorageError> {
        let mut kept = locked(&self.kept);
        if kept.version.as_ref() != expected {
            return Ok(Replaced::Conflict(Box::new(kept.clone())));
        }
        let version = if stored.is_empty() { None } else { Some(Version::fresh()?) };
        *kept = Loaded { version: version.clone(), stored: stored.clone(), set_aside: None };
        Ok(Replaced::Stored(version))
    }

    fn clear(&self) -> Result<(), StorageError> {
        *locked(&self.kept) = Loaded::default();
        Ok(())
    }

    fn try_lock(&self) -> Result<Lock, StorageError> {
        let mut is_taken = locked(&self.refresher);
        if *is_taken {
            return Ok(Lock::Busy);
        }
        *is_taken = true;
        Ok(Lock::Held(Box::new(Turn(Arc::clone(&self.refresher)))))
    }

    fn is_blocking(&self) -> bool {
        false
    }
}
