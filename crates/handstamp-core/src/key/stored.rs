//! A key ring as JSON text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeyRingError;
use super::root::{KeyInfo, KeyState, RootKey};
use crate::encoding;
use crate::time::Timestamp;

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
    /// Milliseconds since the epoch; rings that were made before it was noted do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_at_millis: Option<Timestamp>,
    secret: Zeroizing<String>,
}

pub(super) fn to_json(keys: &[Arc<RootKey>]) -> Result<Zeroizing<String>, KeyRingError> {
    let stored = Stored {
        handstamp_key_ring: 1,
        keys: keys
            .iter()
            .map(|key| StoredKey {
                id: key.id(),
                state: key.state(),
                made_at_millis: key.info().made_at,
                secret: Zeroizing::new(encoding::encode(key.secret())),
            })
            .collect(),
    };
    let text = serde_json::to_string_pretty(&stored);
    text.map(Zeroizing::new).map_err(|_| KeyRingError::Format { why: "not JSON" })
}

pub(super) fn parse(text: &str) -> Result<Vec<Arc<RootKey>>, KeyRingError> {
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
        if key.id == 0 || keys.iter().any(|other| other.id() == key.id) {
            return Err(format("key ids are 1 to 255, each once"));
        }
        let info = KeyInfo { id: key.id, state: key.state, made_at: key.made_at_millis };
        keys.push(Arc::new(RootKey::new(info, secret)));
    }
    if keys.iter().filter(|key| key.state() == KeyState::Active).count() != 1 {
        return Err(format("exactly one key must be active"));
    }
    Ok(keys)
}
