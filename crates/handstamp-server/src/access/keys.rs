//! The keys that access tokens are signed with: random, sealed in the ledger, followed by new ones
//! with an overlap on both sides.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::KeyRing;
use handstamp_core::ledger::{Entry, Ledger, LedgerError, Put, Written};
use handstamp_core::store::Page;
use handstamp_core::time::Timestamp;
use handstamp_protocol::tokens::Jwks;
use handstamp_verify::{Algorithm, KeySet, SigningKey};
use serde::{Deserialize, Serialize};

use crate::error::StartError;
use crate::seal::{Sealed, seal};
use crate::settings::{self, Tokens};

const SHELF: &str = "signing_keys";
const PURPOSE: &str = "signing keys of access tokens";

/// Has a note for each algorithm, written with every key that is made: of several processes that find
/// one due at once, one makes it, and the others take that.
const TURNS: &str = "signing_key_turns";

/// How often another process may be faster.
const TRIES: usize = 8;

/// How long a key is published before it signs: longer than verifiers keep the set.
const PUBLISHED_AHEAD: Duration = Duration::from_secs(600);

/// Keys, ready for use.
pub(crate) struct KeysInUse {
    pub(super) signing: SigningKey,
    pub(super) jwks: Jwks,
}

#[derive(Serialize, Deserialize, Clone)]
struct Stored {
    algorithm: String,
    sealed: Sealed,
    created_at: Timestamp,
}

/// The key that was made last.
#[derive(Serialize, Deserialize)]
struct Turn {
    kid: String,
}

/// A key of the ledger, opened.
struct Opened {
    key: SigningKey,
    created_at: Timestamp,
}

/// Where the keys are kept, and by which rules they follow each other.
pub(crate) struct SigningKeys {
    ledger: Arc<dyn Ledger>,
    ring: KeyRing,
    algorithm: Algorithm,
    secret: Option<settings::Secret>,
    rotate_after: Option<Duration>,
    keep: Duration,
}

impl SigningKeys {
    pub(super) fn new(ledger: Arc<dyn Ledger>, ring: KeyRing, settings: &Tokens) -> Self {
        let algorithm = match settings.algorithm {
            settings::Algorithm::Es256 => Algorithm::Es256,
            settings::Algorithm::Ed25519 => Algorithm::Ed25519,
            settings::Algorithm::Hs256 => Algorithm::Hs256,
        };
        Self {
            ledger,
            ring,
            algorithm,
            secret: settings.secret.clone(),
            rotate_after: settings.rotate_keys_after,
            keep: settings.keep_keys.max(settings.lifetime),
        }
    }

    /// The keys as they are at `now`; the next one is made if it is due.
    pub(super) async fn current(&self, now: Timestamp) -> Result<(KeysInUse, KeySet), StartError> {
        let mut opened = self.open_or_make(now).await?;
        opened.sort_by_key(|one| std::cmp::Reverse(one.created_at));
        self.remove_old(&mut opened, now).await?;
        self.assemble(opened, now).map_err(|error| StartError::SigningKeys(error.to_string()))
    }

    /// The keys of the ledger, and the next among them if it is due, whoever made it.
    async fn open_or_make(&self, now: Timestamp) -> Result<Vec<Opened>, StartError> {
        for _ in 0..TRIES {
            let turn = self.ledger.get(TURNS, self.algorithm.as_str()).await;
            let turn = turn.map_err(LedgerError::from)?.map(|entry| entry.version);
            let mut opened = self.open_all().await?;
            if self.algorithm == Algorithm::Hs256 || !self.is_next_due(&opened, now) {
                return Ok(opened);
            }
            if let Some(made) = self.make(now, turn).await? {
                opened.push(made);
                return Ok(opened);
            }
        }
        Err(LedgerError::Invalid("other processes were faster").into())
    }

    /// Whether a key must be made: there is none of the algorithm, or the newest will be old by
    /// the time that its follower may sign.
    fn is_next_due(&self, opened: &[Opened], now: Timestamp) -> bool {
        let ours = opened.iter().filter(|one| one.key.algorithm() == self.algorithm);
        let Some(newest) = ours.map(|one| one.created_at).max() else { return true };
        self.rotate_after.is_some_and(|after| now.since(newest) + PUBLISHED_AHEAD >= after)
    }

    /// Makes a key, unless another process has made one since the turn of that version.
    async fn make(&self, now: Timestamp, turn: Option<u64>) -> Result<Option<Opened>, StartError> {
        let failed = |error: &dyn std::fmt::Display| StartError::SigningKeys(error.to_string());
        let key = SigningKey::generate(self.algorithm).map_err(|error| failed(&error))?;
        let bytes = key.export().map_err(|error| failed(&error))?;
        let sealed =
            seal(&self.ring, PURPOSE, key.kid(), &bytes).map_err(|error| failed(&error))?;
        let algorithm = self.algorithm.as_str().to_owned();
        let stored = Stored { algorithm, sealed, created_at: now };
        let put = Put::new(SHELF, key.kid(), &stored).map_err(LedgerError::from)?;
        let note = Turn { kid: key.kid().to_owned() };
        let note = Put::new(TURNS, self.algorithm.as_str(), &note).map_err(LedgerError::from)?;
        let note = match turn {
            Some(version) => note.if_version(version),
            None => note.if_absent(),
        };
        if !self.write(vec![put.if_absent(), note]).await? {
            return Ok(None);
        }
        tracing::info!(kid = key.kid(), "a signing key was made");
        Ok(Some(Opened { key, created_at: now }))
    }

    /// Whether nobody was faster.
    async fn write(&self, puts: Vec<Put>) -> Result<bool, LedgerError> {
        match self.ledger.write(puts).await? {
            Written::Applied(_) => Ok(true),
            Written::Conflict { .. } => Ok(false),
            Written::Invalid { why, .. } => Err(LedgerError::Invalid(why)),
        }
    }

    async fn open_all(&self) -> Result<Vec<Opened>, StartError> {
        let listed = self.ledger.list(SHELF, "", &Page::first(1000)).await;
        let mut opened = Vec::new();
        for entry in listed.map_err(LedgerError::from)?.entries {
            match self.open(&entry).await? {
                Some(one) => opened.push(one),
                None => tracing::warn!(
                    kid = &*entry.key,
                    "a signing key cannot be opened: its root key is retired or not in the ring; \
                     tokens that it signed are refused"
                ),
            }
        }
        Ok(opened)
    }

    /// Opens a key; one that an older root key sealed is sealed again.
    async fn open(&self, entry: &Entry) -> Result<Option<Opened>, StartError> {
        let stored: Stored = entry.read().map_err(LedgerError::from)?;
        let Ok(bytes) = stored.sealed.open(&self.ring, PURPOSE, &entry.key) else {
            return Ok(None);
        };
        let algorithm = match &*stored.algorithm {
            "ES256" => Algorithm::Es256,
            "Ed25519" => Algorithm::Ed25519,
            _ => return Ok(None),
        };
        let Ok(key) = SigningKey::import(algorithm, &bytes) else { return Ok(None) };
        if stored.sealed.is_of_older_key(&self.ring)
            && let Ok(sealed) = seal(&self.ring, PURPOSE, &entry.key, &bytes)
        {
            let again = Stored { sealed, ..stored.clone() };
            let put = Put::new(SHELF, &entry.key, &again).map_err(LedgerError::from)?;
            // Whoever was faster sealed it too.
            let _ = self.write(vec![put.if_version(entry.version)]).await;
        }
        Ok(Some(Opened { key, created_at: stored.created_at }))
    }

    /// Removes keys whose followers have signed for so long that no token of theirs lives.
    async fn remove_old(
        &self,
        opened: &mut Vec<Opened>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut kept = Vec::new();
        let mut is_followed_since: Option<Timestamp> = None;
        for one in opened.drain(..) {
            let is_needed = is_followed_since.is_none_or(|since| now.since(since) < self.keep);
            if one.key.algorithm() == self.algorithm {
                is_followed_since = Some(one.created_at.plus(PUBLISHED_AHEAD));
            }
            match is_needed {
                true => kept.push(one),
                false => {
                    let _ = self.ledger.write(vec![Put::removal(SHELF, one.key.kid())]).await?;
                    tracing::info!(kid = one.key.kid(), "a signing key was removed");
                }
            }
        }
        *opened = kept;
        Ok(())
    }

    /// Sorts out which signs, and which are only good for checking. `opened` is newest first.
    fn assemble(
        &self,
        mut opened: Vec<Opened>,
        now: Timestamp,
    ) -> Result<(KeysInUse, KeySet), handstamp_verify::KeyError> {
        if let (Algorithm::Hs256, Some(secret)) = (self.algorithm, &self.secret) {
            let key = SigningKey::hs256(secret.expose().as_bytes())?;
            opened.insert(0, Opened { key, created_at: Timestamp::from_millis(i64::MIN / 2) });
        }
        let verifying =
            opened.iter().map(|one| one.key.verifying_key()).collect::<Result<Vec<_>, _>>()?;
        let jwks = Jwks { keys: opened.iter().filter_map(|one| one.key.jwk()).collect() };
        let is_ours = |one: &&Opened| one.key.algorithm() == self.algorithm;
        let is_known = |one: &&Opened| now.since(one.created_at) >= PUBLISHED_AHEAD;
        let signing = opened
            .iter()
            .filter(is_ours)
            .find(is_known)
            // The first key of all signs at once: nobody has an older set.
            .or_else(|| opened.iter().rev().find(is_ours))
            .map(|one| one.key.kid().to_owned())
            .ok_or(handstamp_verify::KeyError::Failed)?;
        let signing = opened
            .into_iter()
            .map(|one| one.key)
            .find(|key| key.kid() == signing)
            .ok_or(handstamp_verify::KeyError::Failed)?;
        Ok((KeysInUse { signing, jwks }, KeySet::new(verifying)?))
    }
}
