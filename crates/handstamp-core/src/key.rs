//! The key ring: root keys that lie outside the data, and the keys derived from them.

mod file;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding;
use crate::random::{Rng, SystemRng, random};

/// What a root key may still do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Makes new tokens. Exactly one key of a ring is active.
    Active,
    /// Makes none; what it made stays good.
    Older,
    /// Refused at once, whatever it made. Kept so that the audit log can still be verified.
    Retired,
}

/// A root key and what is derived from it, a label per purpose (HKDF, RFC 5869).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RootKey {
    #[zeroize(skip)]
    id: u8,
    #[zeroize(skip)]
    state: KeyState,
    secret: [u8; 32],
    check: [u8; 32],
    proof: [u8; 32],
    csrf: [u8; 32],
    audit: [u8; 32],
    identifier: [u8; 32],
}

impl RootKey {
    fn new(id: u8, state: KeyState, secret: [u8; 32]) -> Self {
        Self {
            id,
            state,
            secret,
            check: derive(&secret, b"handstamp check 1"),
            proof: derive(&secret, b"handstamp proof 1"),
            csrf: derive(&secret, b"handstamp csrf 1"),
            audit: derive(&secret, b"handstamp audit 1"),
            identifier: derive(&secret, b"handstamp identifier 1"),
        }
    }

    /// The id that tokens carry.
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// What the key may still do.
    pub const fn state(&self) -> KeyState {
        self.state
    }

    /// A key of 256 bits for a purpose of the application's own, under its `label`: for sealing
    /// what lies in a store, so that it again takes both. The same ring and label give the same
    /// key; no label gives one that Handstamp uses itself.
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(derive(&self.secret, format!("handstamp for {label}").as_bytes()))
    }

    pub(crate) const fn check_key(&self) -> &[u8; 32] {
        &self.check
    }

    pub(crate) const fn proof_key(&self) -> &[u8; 32] {
        &self.proof
    }

    pub(crate) const fn csrf_key(&self) -> &[u8; 32] {
        &self.csrf
    }

    pub(crate) const fn audit_key(&self) -> &[u8; 32] {
        &self.audit
    }

    pub(crate) const fn identifier_key(&self) -> &[u8; 32] {
        &self.identifier
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey").field("id", &self.id).field("state", &self.state).finish()
    }
}

fn derive(secret: &[u8; 32], label: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // 32 bytes is far below HKDF's limit, so expanding cannot fail.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(label, &mut out);
    out
}

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    handstamp_key_ring: u8,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    id: u8,
    state: KeyState,
    secret: Zeroizing<String>,
}

impl KeyRing {
    /// A ring with one fresh key that lives only in this process: for tests, and where signing
    /// everybody out at every restart is wanted.
    ///
    /// # Errors
    /// [`KeyRingError::Random`] when no random bytes can be had.
    pub fn generate() -> Result<Self, KeyRingError> {
        Self::generate_with(&SystemRng)
    }

    /// Like [`generate`](Self::generate), with this source of random bytes.
    ///
    /// # Errors
    /// [`KeyRingError::Random`] when no random bytes can be had.
    pub fn generate_with(rng: &dyn Rng) -> Result<Self, KeyRingError> {
        let key = RootKey::new(1, KeyState::Active, random(rng)?);
        Ok(Self::from_keys(None, vec![Arc::new(key)]))
    }

    /// Opens the ring at `path`, or makes one there (mode 0600, its folder 0700). A leading `~/`
    /// is the home directory.
    ///
    /// # Errors
    /// [`KeyRingError::Permissions`] when others can read it, [`KeyRingError::Format`] when it is
    /// damaged (it is never overwritten), [`KeyRingError::Io`] when the system refuses.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = expand_home(path.as_ref());
        match Self::open(&path) {
            Err(KeyRingError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let ring = Self::from_keys(Some(path.clone()), Self::generate()?.all().to_vec());
        match file::create(&path, ring.to_json()?.as_bytes()) {
            Ok(()) => Ok(ring),
            // Another process made it first: theirs counts.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Self::open(&path),
            Err(source) => Err(KeyRingError::Io { path, source }),
        }
    }

    /// Opens the ring at `path`.
    ///
    /// # Errors
    /// As [`open_or_create`](Self::open_or_create); also when there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = expand_home(path.as_ref());
        let io = |source| KeyRingError::Io { path: path.clone(), source };
        file::refuse_open_mode(&path)?;
        let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(io)?);
        Ok(Self::from_keys(Some(path.clone()), parse(&text)?))
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
            let is_here = |key: &&Arc<RootKey>| usize::from(key.id) / 64 == word;
            let good = keys.iter().filter(is_here).filter(|key| key.state != KeyState::Retired);
            let bits = good.fold(0_u64, |bits, key| bits | 1 << (key.id % 64));
            usable.store(bits, Ordering::Release);
        }
        self.inner.active.store(active_of(keys).id, Ordering::Release);
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
        self.find_for_audit(id).filter(|key| key.state != KeyState::Retired)
    }

    /// The key with this id, retired or not: good for verifying the audit log and nothing else.
    pub fn find_for_audit(&self, id: u8) -> Option<Arc<RootKey>> {
        self.all().iter().find(|key| key.id == id).cloned()
    }

    /// Ids and states, in the order in which the keys were made.
    pub fn list(&self) -> Vec<(u8, KeyState)> {
        self.all().iter().map(|key| (key.id, key.state)).collect()
    }

    /// Adds a fresh key and makes it the active one; answers its id. Sessions move to it as they
    /// are next presented, nobody is signed out. A ring that came from a file is written back.
    ///
    /// # Errors
    /// [`KeyRingError::Id`] when all ids are taken, [`KeyRingError::Io`] when the file cannot be
    /// written; then nothing changed.
    pub fn rotate(&self) -> Result<u8, KeyRingError> {
        let secret = Zeroizing::new(random::<32>(&SystemRng)?);
        self.change(|keys| {
            let id = (1..=u8::MAX).find(|id| keys.iter().all(|key| key.id != *id));
            let id = id.ok_or(KeyRingError::Id { why: "all 255 key ids are taken" })?;
            for key in keys.iter_mut().filter(|key| key.state == KeyState::Active) {
                *key = Arc::new(RootKey::new(key.id, KeyState::Older, key.secret));
            }
            keys.push(Arc::new(RootKey::new(id, KeyState::Active, *secret)));
            Ok(id)
        })
    }

    /// Refuses everything that the key with this id made, at once: for a key that leaked. When it
    /// was the active one, a fresh key takes its place.
    ///
    /// # Errors
    /// [`KeyRingError::Id`] when there is no such key, [`KeyRingError::Io`] when the file cannot
    /// be written; then nothing changed.
    pub fn retire(&self, id: u8) -> Result<(), KeyRingError> {
        let key = self.find_for_audit(id);
        let key = key.ok_or(KeyRingError::Id { why: "there is no key with that id" })?;
        if key.state == KeyState::Active {
            self.rotate()?;
        }
        self.change(|keys| {
            for key in keys.iter_mut().filter(|key| key.id == id) {
                *key = Arc::new(RootKey::new(id, KeyState::Retired, key.secret));
            }
            Ok(())
        })
    }

    fn change<T>(
        &self,
        edit: impl FnOnce(&mut Vec<Arc<RootKey>>) -> Result<T, KeyRingError>,
    ) -> Result<T, KeyRingError> {
        let mut held = self.inner.keys.write().unwrap_or_else(PoisonError::into_inner);
        let mut keys = held.as_ref().clone();
        let answer = edit(&mut keys)?;
        if let Some(path) = &self.inner.path {
            let text = to_json(&keys)?;
            file::replace(path, text.as_bytes())
                .map_err(|source| KeyRingError::Io { path: path.clone(), source })?;
        }
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

/// Parsing and every change keep exactly one key active; the first is a total fallback.
fn active_of(keys: &[Arc<RootKey>]) -> &Arc<RootKey> {
    keys.iter().find(|key| key.state == KeyState::Active).unwrap_or(&keys[0])
}

fn to_json(keys: &[Arc<RootKey>]) -> Result<Zeroizing<String>, KeyRingError> {
    let stored = Stored {
        handstamp_key_ring: 1,
        keys: keys
            .iter()
            .map(|key| StoredKey {
                id: key.id,
                state: key.state,
                secret: Zeroizing::new(encoding::encode(&key.secret)),
            })
            .collect(),
    };
    let text = serde_json::to_string_pretty(&stored);
    text.map(Zeroizing::new).map_err(|_| KeyRingError::Format { why: "not JSON" })
}

fn parse(text: &str) -> Result<Vec<Arc<RootKey>>, KeyRingError> {
    let format = |why| KeyRingError::Format { why };
    let stored: Stored =
        serde_json::from_str(text).map_err(|_| format("not JSON of a key ring"))?;
    if stored.handstamp_key_ring != 1 {
        return Err(format("written by a newer version"));
    }
    let mut keys: Vec<Arc<RootKey>> = Vec::new();
    for key in &stored.keys {
        let secret = encoding::decode::<32>(key.secret.as_bytes());
        let secret = secret.ok_or_else(|| format("a key is not 256 bits of base64url"))?;
        if key.id == 0 || keys.iter().any(|other| other.id == key.id) {
            return Err(format("key ids are 1 to 255, each once"));
        }
        keys.push(Arc::new(RootKey::new(key.id, key.state, secret)));
    }
    if keys.iter().filter(|key| key.state == KeyState::Active).count() != 1 {
        return Err(format("exactly one key must be active"));
    }
    Ok(keys)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn a_folder(name: &str) -> PathBuf {
        let unique = crate::id::ChangeId::generate(&SystemRng).unwrap();
        std::env::temp_dir().join(format!("handstamp-{name}-{unique}"))
    }

    fn ring(keys: &[(u8, &str, usize)]) -> String {
        let key = |(id, state, length): &(u8, &str, usize)| {
            let secret = encoding::encode(&vec![7; *length]);
            format!(r#"{{"id":{id},"state":"{state}","secret":"{secret}"}}"#)
        };
        let keys: Vec<_> = keys.iter().map(key).collect();
        format!(r#"{{"handstamp_key_ring":1,"keys":[{}]}}"#, keys.join(","))
    }

    #[test]
    fn a_ring_is_made_once_and_found_again() {
        let folder = a_folder("ring");
        let path = folder.join("deep/session.keys");
        let made = KeyRing::open_or_create(&path).unwrap();
        let found = KeyRing::open_or_create(&path).unwrap();
        assert_eq!(made.to_json().unwrap(), found.to_json().unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_ring_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = a_folder("open");
        let path = folder.join("session.keys");
        KeyRing::open_or_create(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "made for its owner alone");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = KeyRing::open_or_create(&path).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_ring_is_refused_and_never_overwritten() {
        let folder = a_folder("damaged");
        let path = folder.join("session.keys");
        file::create(&path, b"{\"handstamp_key_ring\":1,\"ke").unwrap();
        let refused = KeyRing::open_or_create(&path).unwrap_err();
        assert!(matches!(refused, KeyRingError::Format { .. }));
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"handstamp_key_ring\":1,\"ke");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn s69_a_ring_with_a_short_key_or_not_one_active_key_is_refused() {
        assert!(KeyRing::from_json(&ring(&[(1, "active", 32), (2, "older", 32)])).is_ok());
        let refused = [
            ring(&[(1, "active", 31)]),
            ring(&[(1, "active", 0)]),
            ring(&[(1, "older", 32)]),
            ring(&[(1, "active", 32), (2, "active", 32)]),
            ring(&[(1, "active", 32), (1, "older", 32)]),
            ring(&[(0, "active", 32)]),
            ring(&[]),
            ring(&[(1, "active", 32)]).replace("_ring\":1", "_ring\":2"),
            String::new(),
        ];
        for text in refused {
            let refused = KeyRing::from_json(&text);
            assert!(matches!(refused, Err(KeyRingError::Format { .. })), "{text}");
        }
    }

    #[test]
    fn rotation_and_retirement_are_seen_by_clones_and_survive_a_restart() {
        let folder = a_folder("rotate");
        let path = folder.join("session.keys");
        let ring = KeyRing::open_or_create(&path).unwrap();
        let clone = ring.clone();
        assert_eq!(ring.rotate().unwrap(), 2);
        assert_eq!(clone.active_id(), 2);
        ring.retire(2).unwrap();
        assert_eq!(clone.active_id(), 3, "a retired active key is replaced");
        assert!(!clone.is_usable(2) && clone.is_usable(1) && clone.find(2).is_none());
        assert!(clone.find_for_audit(2).is_some());
        let states = [(1, KeyState::Older), (2, KeyState::Retired), (3, KeyState::Active)];
        assert_eq!(KeyRing::open(&path).unwrap().list(), states);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_ring_from_an_environment_variable_that_is_not_set_says_its_name() {
        let refused = KeyRing::from_env("HANDSTAMP_NO_SUCH_VARIABLE").unwrap_err();
        assert!(refused.to_string().contains("HANDSTAMP_NO_SUCH_VARIABLE"));
    }

    #[test]
    fn keys_of_different_purposes_differ() {
        let key = KeyRing::generate().unwrap().active();
        let all = [
            key.check_key(),
            key.proof_key(),
            key.csrf_key(),
            key.audit_key(),
            key.identifier_key(),
            &key.secret,
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
