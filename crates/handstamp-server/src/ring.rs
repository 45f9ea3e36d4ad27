//! Which key ring the data belongs to: a mark of each root key lies in the ledger, so that another
//! ring is known before anything is written under it.
//!
//! What is sealed under a wrong ring cannot be mended: the audit log would not verify ever again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_core::ledger::{Ledger, LedgerError, Put, Written};
use handstamp_core::store::Page;
use handstamp_core::{KeyRing, SessionManager};
use serde::{Deserialize, Serialize};

use crate::error::StartError;

const SHELF: &str = "root_keys";

/// What a mark is derived for; it tells nothing of the key, and is a key to nothing.
const PURPOSE: &str = "marks of root keys";

/// How often another process may be faster.
const TRIES: usize = 8;

/// By what a root key is known again.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    mark: String,
}

/// Refuses a key ring under which the data was not written, and notes the keys of the right one.
///
/// # Errors
/// [`StartError::OtherRing`] when a key of the ring is not the one that was noted under its id, one
/// that was noted is not in the ring, or nothing was noted yet and the audit log begins under
/// another ring; [`StartError::Ledger`], [`StartError::Sessions`].
pub async fn recognise(sessions: &SessionManager, ledger: &dyn Ledger) -> Result<(), StartError> {
    let ring = marks(sessions.keys());
    for _ in 0..TRIES {
        let known = known(ledger).await?;
        if known.is_empty() && !sessions.is_own_log().await? {
            return Err(StartError::OtherRing("the audit log begins under other keys".into()));
        }
        if let Some(why) = stranger(&ring, &known) {
            return Err(StartError::OtherRing(why));
        }
        if note(ledger, &ring, &known).await? {
            return Ok(());
        }
    }
    Err(LedgerError::Invalid("other processes were faster").into())
}

/// Notes keys that a running service got since it started, as far as that succeeds.
pub(crate) async fn note_new(ring: &KeyRing, ledger: &dyn Ledger) -> Result<(), LedgerError> {
    note(ledger, &marks(ring), &known(ledger).await?).await.map(drop)
}

/// By id, the marks of all keys of a ring; those of retired ones too, which seal what is old.
fn marks(ring: &KeyRing) -> BTreeMap<u8, String> {
    let keys = ring.list().into_iter().filter_map(|(id, _)| ring.find_for_audit(id));
    keys.map(|key| (key.id(), URL_SAFE_NO_PAD.encode(&key.derive(PURPOSE)[..16]))).collect()
}

async fn known(ledger: &dyn Ledger) -> Result<BTreeMap<u8, String>, LedgerError> {
    let listed = ledger.list(SHELF, "", &Page::first(1000)).await?;
    let mut known = BTreeMap::new();
    for entry in listed.entries {
        let id = entry.key.parse().map_err(|_| LedgerError::Invalid("a root key without an id"))?;
        known.insert(id, entry.read::<Known>()?.mark);
    }
    Ok(known)
}

/// Why the data is not of this ring, if it is not.
fn stranger(ring: &BTreeMap<u8, String>, known: &BTreeMap<u8, String>) -> Option<String> {
    known.iter().find_map(|(id, mark)| match ring.get(id) {
        Some(ours) if ours == mark => None,
        Some(_) => Some(format!("its key {id} is another than the one the data was written under")),
        None => Some(format!("it lacks key {id}, under which data was written")),
    })
}

/// Notes what is not known yet; `false` where another process noted something at once.
async fn note(
    ledger: &dyn Ledger,
    ring: &BTreeMap<u8, String>,
    known: &BTreeMap<u8, String>,
) -> Result<bool, LedgerError> {
    let new = ring.iter().filter(|(id, _)| !known.contains_key(id));
    let puts = new.map(|(id, mark)| {
        let put = Put::new(SHELF, &id.to_string(), &Known { mark: mark.clone() })?;
        Ok(put.if_absent())
    });
    let puts: Vec<Put> = puts.collect::<Result<_, LedgerError>>()?;
    match ledger.write(puts).await? {
        Written::Applied(_) => Ok(true),
        Written::Conflict { .. } => Ok(false),
        Written::Invalid { why, .. } => Err(LedgerError::Invalid(why)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use handstamp_core::ledger::MemoryLedger;
    use handstamp_core::store::MemoryStore;
    use handstamp_core::{SessionConfig, SignInFailure};

    use super::*;

    /// What of a deployment outlives a start.
    struct Data {
        store: Arc<MemoryStore>,
        ledger: MemoryLedger,
    }

    impl Data {
        fn new() -> Self {
            Self { store: Arc::new(MemoryStore::new()), ledger: MemoryLedger::new() }
        }

        fn sessions(&self, ring: &KeyRing) -> SessionManager {
            let store = Arc::clone(&self.store);
            SessionManager::builder(store, SessionConfig::default(), ring.clone())
                .maintenance(false)
                .build()
        }

        async fn start(&self, ring: &KeyRing) -> Result<(), StartError> {
            recognise(&self.sessions(ring), &self.ledger).await
        }

        async fn refusal(&self, ring: &KeyRing) -> String {
            self.start(ring).await.unwrap_err().to_string()
        }
    }

    fn copy(ring: &KeyRing) -> KeyRing {
        KeyRing::from_json(&ring.to_json().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn data_knows_its_ring_again_whatever_was_rotated_and_retired() {
        let (data, ring) = (Data::new(), KeyRing::generate().unwrap());
        data.start(&ring).await.unwrap();
        ring.rotate().unwrap();
        data.start(&copy(&ring)).await.unwrap();
        ring.retire(1).unwrap();
        ring.retire(2).unwrap();
        data.start(&copy(&ring)).await.unwrap();
        assert_eq!(known(&data.ledger).await.unwrap(), marks(&ring));
    }

    #[tokio::test]
    async fn another_ring_and_an_older_copy_of_the_right_one_are_refused() {
        let (data, ring) = (Data::new(), KeyRing::generate().unwrap());
        data.start(&ring).await.unwrap();
        let other = KeyRing::generate().unwrap();
        assert!(data.refusal(&other).await.contains("its key 1 is another"));
        other.rotate().unwrap();
        assert!(data.refusal(&other).await.contains("its key 1 is another"));
        let older = copy(&ring);
        ring.rotate().unwrap();
        note_new(&ring, &data.ledger).await.unwrap();
        assert!(data.refusal(&older).await.contains("it lacks key 2"));
        older.rotate().unwrap();
        assert!(data.refusal(&older).await.contains("its key 2 is another"));
        data.start(&ring).await.unwrap();
    }

    #[tokio::test]
    async fn data_that_was_never_served_is_known_by_how_its_log_begins() {
        let (data, ring) = (Data::new(), KeyRing::generate().unwrap());
        let sessions = data.sessions(&ring);
        sessions.sign_in_failed(SignInFailure::default()).await.unwrap();
        let other = KeyRing::generate().unwrap();
        assert!(data.refusal(&other).await.contains("the audit log begins under other keys"));
        data.start(&ring).await.unwrap();
    }
}
