//! The key ring: root keys that lie outside the data, and the keys derived from them.

mod file;
mod root;
mod stored;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

pub use root::{KeyInfo, KeyState, RootKey};

use crate::random::{Rng, SystemRng, random};
use crate::time::{Clock, SystemClock, Timestamp};
use stored::{parse, to_json};

/// The root keys of a deployment: one active, older ones, retired ones.
///
/// Clones share the ring: a rotation is seen by all at the next use. The ring belongs **outside**
/// the data directory: a stolen database signs nobody in without it.
#[derive(Clone)]
pub struct KeyRing {
    inner: Arc<Inner>,
}

struct Inner {
    path: Option<PathBuf>,
    /// The id of the active key, for the hot path.
    active: AtomicU8,
    /// Which ids are there and not retired, a bit each, for the hot path.
    usable: [AtomicU64; 4],
    keys: RwLock<Arc<Vec<Arc<RootKey>>>>,
}

/// The key ring cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// The file cannot be read, written or locked down. Retrying helps once its cause is gone.
    #[error("cannot use the key ring at {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others than the owner can read the file.
    #[error("the key ring at {path} is open to others (mode {mode:03o}); run: chmod 600 {path}")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text is not a key ring of a version this program knows.
    #[error("not a key ring that can be read: {why}")]
    Format {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The environment variable is not set.
    #[error("the environment variable {name} is not set")]
    Missing {
        /// Its name.
        name: String,
    },
    /// All 255 ids are taken, or there is no key with that id.
    #[error("{why}")]
    Id {
        /// Which of the two.
        why: &'static str,
    },
    /// No random bytes could be had.
    #[error(transparent)]
    Random(#[from] crate::random::RandomError),
}

impl KeyRingError {
    /// Whether the system said this.
    pub fn is_io(&self, kind: ErrorKind) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == kind)
    }
}

impl KeyRing {
    /// A ring with one fresh key that lives only in this process: for tests, and where signing
    /// everybody out at every restart is wanted.
    ///
    /// # Errors
    /// [`KeyRingError::Random`] when no random bytes can be had.
    pub fn generate() -> Result<Self, KeyRingError> {
        Ok(Self::from_keys(None, one_key(&SystemRng, Some(SystemClock::new().now()))?))
    }

    /// Like [`generate`](Self::generate), with this source of random bytes. Its key does not say
    /// when it was made.
    ///
    /// # Errors
    /// [`KeyRingError::Random`] when no random bytes can be had.
    pub fn generate_with(rng: &dyn Rng) -> Result<Self, KeyRingError> {
        Ok(Self::from_keys(None, one_key(rng, None)?))
    }

    /// Opens the ring at `path`, or makes one there (mode 0600, its folder 0700). A leading `~/`
    /// is the home directory.
    ///
    /// # Errors
    /// [`KeyRingError::Permissions`] when others can read it, [`KeyRingError::Format`] when it is
    /// damaged (it is never overwritten), [`KeyRingError::Io`] when the system refuses.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        match Self::open(path) {
            Err(error) if error.is_io(ErrorKind::NotFound) => {}
            opened => return opened,
        }
        match Self::create(path) {
            // Another process made it first: theirs counts.
            Err(error) if error.is_io(ErrorKind::AlreadyExists) => Self::open(path),
            made => made,
        }
    }

    /// Makes a ring with one fresh key at `path` (mode 0600, its folder 0700), where there is
    /// nothing yet. A leading `~/` is the home directory.
    ///
    /// # Errors
    /// [`KeyRingError::Io`] when there is something, or the system refuses.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = expand_home(path.as_ref());
        let ring = Self::from_keys(Some(path.clone()), Self::generate()?.all().to_vec());
        let made = file::create(&path, ring.to_json()?.as_bytes());
        made.map(|()| ring).map_err(|source| KeyRingError::Io { path, source })
    }

    /// Opens the ring at `path`.
    ///
    /// # Errors
    /// As [`open_or_create`](Self::open_or_create); also when there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = expand_home(path.as_ref());
        let keys = read(&path)?;
        Ok(Self::from_keys(Some(path), keys))
    }

    /// Reads the ring from the text of an environment variable, as a secret manager sets it.
    ///
    /// # Errors
    /// [`KeyRingError::Missing`] when it is not set, [`KeyRingError::Format`] when it is no ring.
    pub fn from_env(name: &str) -> Result<Self, KeyRingError> {
        let text = std::env::var(name).map_err(|_| KeyRingError::Missing { name: name.into() })?;
        Self::from_json(&Zeroizing::new(text))
    }

    /// Reads the ring from its JSON text.
    ///
    /// # Errors
    /// [`KeyRingError::Format`] when it is damaged, a key is shorter than 256 bits, or not exactly
    /// one is active.
    pub fn from_json(text: &str) -> Result<Self, KeyRingError> {
        Ok(Self::from_keys(None, parse(text)?))
    }

    /// Reads the ring from a file that somebody else guards and replaces: a credential of systemd, a
    /// secret that is mounted into a container. Its mode is not looked at, and nothing is written
    /// back, as with [`from_json`](Self::from_json).
    ///
    /// # Errors
    /// [`KeyRingError::Io`] when it cannot be read, [`KeyRingError::Format`] when it is no ring.
    ///
    /// # Security
    /// Only for places that nobody else can enter. What others can read is refused by
    /// [`open`](Self::open), and has to be: whoever has the ring and the data can sign in as anybody.
    pub fn from_guarded(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|source| KeyRingError::Io { path: path.to_path_buf(), source })?;
        Self::from_json(&text)
    }

    fn from_keys(path: Option<PathBuf>, keys: Vec<Arc<RootKey>>) -> Self {
        let inner = Inner {
            path,
            active: AtomicU8::new(0),
            usable: Default::default(),
            keys: RwLock::new(Arc::new(keys)),
        };
        let ring = Self { inner: Arc::new(inner) };
        ring.note(&ring.all());
        ring
    }

    /// Notes for the hot path which keys are good.
    fn note(&self, keys: &[Arc<RootKey>]) {
        for (word, usable) in self.inner.usable.iter().enumerate() {
            let is_here = |key: &&Arc<RootKey>| usize::from(key.id()) / 64 == word;
            let good = keys.iter().filter(is_here).filter(|key| key.state() != KeyState::Retired);
            let bits = good.fold(0_u64, |bits, key| bits | 1 << (key.id() % 64));
            usable.store(bits, Ordering::Release);
        }
        self.inner.active.store(active_of(keys).id(), Ordering::Release);
    }

    /// Whether the key with this id is there and not retired.
    pub fn is_usable(&self, id: u8) -> bool {
        let word = self.inner.usable[usize::from(id) / 64].load(Ordering::Acquire);
        word >> (id % 64) & 1 == 1
    }

    fn all(&self) -> Arc<Vec<Arc<RootKey>>> {
        self.inner.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key that makes new tokens.
    pub fn active(&self) -> Arc<RootKey> {
        Arc::clone(active_of(&self.all()))
    }

    /// The id of the key that makes new tokens.
    pub fn active_id(&self) -> u8 {
        self.inner.active.load(Ordering::Acquire)
    }

    /// The key with this id, unless it is retired.
    pub fn find(&self, id: u8) -> Option<Arc<RootKey>> {
        self.find_for_audit(id).filter(|key| key.state() != KeyState::Retired)
    }

    /// The key with this id, retired or not: good for verifying the audit log and nothing else.
    pub fn find_for_audit(&self, id: u8) -> Option<Arc<RootKey>> {
        self.all().iter().find(|key| key.id() == id).cloned()
    }

    /// Ids and states, in the order in which the keys were made.
    pub fn list(&self) -> Vec<(u8, KeyState)> {
        self.all().iter().map(|key| (key.id(), key.state())).collect()
    }

    /// What may be told of each key, in the order in which they were made.
    pub fn infos(&self) -> Vec<KeyInfo> {
        self.all().iter().map(|key| key.info()).collect()
    }

    /// Adds a fresh key and makes it the active one; answers its id. Sessions move to it as they
    /// are next presented, nobody is signed out. A ring that came from a file is read from there
    /// first and written back, so that processes which change it at once lose nothing; others
    /// learn of it by [`reload`](Self::reload).
    ///
    /// # Errors
    /// [`KeyRingError::Id`] when all ids are taken, [`KeyRingError::Io`] when the file cannot be
    /// written; then nothing changed.
    pub fn rotate(&self) -> Result<u8, KeyRingError> {
        self.change(|keys| add_active(keys, SystemClock::new().now()))
    }

    /// Refuses everything that the key with this id made, at once: for a key that leaked. When it
    /// was the active one, a fresh key takes its place. The file is read and written as by
    /// [`rotate`](Self::rotate).
    ///
    /// # Errors
    /// [`KeyRingError::Id`] when there is no such key, [`KeyRingError::Io`] when the file cannot
    /// be written; then nothing changed.
    pub fn retire(&self, id: u8) -> Result<(), KeyRingError> {
        self.change(|keys| {
            let index = keys.iter().position(|key| key.id() == id);
            let index = index.ok_or(KeyRingError::Id { why: "there is no key with that id" })?;
            if keys[index].state() == KeyState::Active {
                add_active(keys, SystemClock::new().now())?;
            }
            keys[index] = Arc::new(keys[index].turned(KeyState::Retired));
            Ok(())
        })
    }

    /// Takes over what another process has changed in the file; answers whether something had.
    /// A ring that did not come from a file stays as it is.
    ///
    /// # Errors
    /// As [`open`](Self::open); then the ring stays as it is, and trying again later helps.
    pub fn reload(&self) -> Result<bool, KeyRingError> {
        let Some(path) = &self.inner.path else { return Ok(false) };
        let mut held = self.inner.keys.write().unwrap_or_else(PoisonError::into_inner);
        let keys = read(path)?;
        let is_same = keys.iter().map(|key| key.info()).eq(held.iter().map(|key| key.info()));
        if !is_same {
            self.note(&keys);
            *held = Arc::new(keys);
        }
        Ok(!is_same)
    }

    /// Changes the keys, those in the file first. The lock is held from reading the file to writing
    /// it, so that no change of another process is lost.
    fn change<T>(
        &self,
        edit: impl FnOnce(&mut Vec<Arc<RootKey>>) -> Result<T, KeyRingError>,
    ) -> Result<T, KeyRingError> {
        let mut held = self.inner.keys.write().unwrap_or_else(PoisonError::into_inner);
        let (keys, answer) = match &self.inner.path {
            None => {
                let mut keys = held.as_ref().clone();
                let answer = edit(&mut keys)?;
                (keys, answer)
            }
            Some(path) => change_file(path, edit)?,
        };
        self.note(&keys);
        *held = Arc::new(keys);
        Ok(answer)
    }

    /// The ring as JSON text, for a secret manager.
    ///
    /// # Errors
    /// [`KeyRingError::Format`] when it cannot be written as JSON, which does not happen.
    ///
    /// # Security
    /// This is the secret itself.
    pub fn to_json(&self) -> Result<Zeroizing<String>, KeyRingError> {
        to_json(&self.all())
    }
}

fn change_file<T>(
    path: &Path,
    edit: impl FnOnce(&mut Vec<Arc<RootKey>>) -> Result<T, KeyRingError>,
) -> Result<(Vec<Arc<RootKey>>, T), KeyRingError> {
    let io = |source| KeyRingError::Io { path: path.to_path_buf(), source };
    let _lock = file::lock(path).map_err(io)?;
    let mut keys = read(path)?;
    let answer = edit(&mut keys)?;
    file::replace(path, to_json(&keys)?.as_bytes()).map_err(io)?;
    Ok((keys, answer))
}

fn read(path: &Path) -> Result<Vec<Arc<RootKey>>, KeyRingError> {
    file::refuse_open_mode(path)?;
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    parse(&text.map_err(|source| KeyRingError::Io { path: path.to_path_buf(), source })?)
}

fn one_key(rng: &dyn Rng, made_at: Option<Timestamp>) -> Result<Vec<Arc<RootKey>>, KeyRingError> {
    let info = KeyInfo { id: 1, state: KeyState::Active, made_at };
    Ok(vec![Arc::new(RootKey::new(info, random(rng)?))])
}

fn add_active(keys: &mut Vec<Arc<RootKey>>, now: Timestamp) -> Result<u8, KeyRingError> {
    let secret = Zeroizing::new(random::<32>(&SystemRng)?);
    let id = (1..=u8::MAX).find(|id| keys.iter().all(|key| key.id() != *id));
    let id = id.ok_or(KeyRingError::Id { why: "all 255 key ids are taken" })?;
    for key in keys.iter_mut().filter(|key| key.state() == KeyState::Active) {
        *key = Arc::new(key.turned(KeyState::Older));
    }
    let info = KeyInfo { id, state: KeyState::Active, made_at: Some(now) };
    keys.push(Arc::new(RootKey::new(info, *secret)));
    Ok(id)
}

/// Parsing and every change keep exactly one key active; the first is a total fallback.
fn active_of(keys: &[Arc<RootKey>]) -> &Arc<RootKey> {
    keys.iter().find(|key| key.state() == KeyState::Active).unwrap_or(&keys[0])
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.list()).finish()
    }
}

fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_path_buf(),
    }
}
