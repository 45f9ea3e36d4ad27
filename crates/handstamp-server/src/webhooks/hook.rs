//! Webhooks as they are kept, all in one document: who is told of what, and what it is signed
//! with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::KeyRing;
use handstamp_core::ledger::{Ledger, LedgerError, LedgerExt};
use handstamp_core::time::Timestamp;
use handstamp_protocol::{Secret, webhooks as wire};
use serde::{Deserialize, Serialize};

use super::filter::EventNames;
use super::secret::SigningSecret;
use crate::answer::time;
use crate::seal::{SealError, Sealed, seal};

/// How many webhooks there may be. Each has slots of its own to send in, so this bounds them all.
pub(super) const MOST: usize = 50;

/// How long the secret before signs beside the new one.
const OVERLAP: Duration = Duration::from_secs(86_400);

/// What signing secrets are sealed for.
const PURPOSE: &str = "webhooks";

const SHELF: &str = "webhooks";
const KEY: &str = "all";

/// One webhook.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hook {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) events: EventNames,
    pub(super) description: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) is_enabled: bool,
    pub(super) disabled_reason: Option<String>,
    /// Newest first.
    secrets: Vec<StoredSecret>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredSecret {
    sealed: Sealed,
    /// Until when it signs; `None` is for good.
    until: Option<Timestamp>,
}

/// Shows neither the URL, which may hold a key of the receiver's, nor secrets.
impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("id", &self.id)
            .field("events", &self.events)
            .field("is_enabled", &self.is_enabled)
            .finish_non_exhaustive()
    }
}

impl Hook {
    /// A webhook that nobody was told of yet and that has no secret.
    pub(super) const fn new(id: String, url: String, events: EventNames, at: Timestamp) -> Self {
        Self {
            id,
            url,
            events,
            description: None,
            created_at: at,
            is_enabled: true,
            disabled_reason: None,
            secrets: Vec::new(),
        }
    }

    /// Signs with `secret` from now on, and for a day with the one before too.
    pub(super) fn sign_with(
        &mut self,
        secret: &SigningSecret,
        keys: &KeyRing,
        now: Timestamp,
    ) -> Result<(), SealError> {
        let sealed = seal(keys, PURPOSE, &self.id, secret.as_bytes())?;
        self.secrets.truncate(1);
        self.secrets.iter_mut().for_each(|before| before.until = Some(now.plus(OVERLAP)));
        self.secrets.insert(0, StoredSecret { sealed, until: None });
        Ok(())
    }

    /// The secrets that sign at `now`, newest first.
    ///
    /// # Errors
    /// [`SealError`] when the newest cannot be opened. The one before is left out then: it is
    /// lost, and the newest is there to take its place.
    pub(super) fn secrets(
        &self,
        keys: &KeyRing,
        now: Timestamp,
    ) -> Result<Vec<SigningSecret>, SealError> {
        let is_good = |it: &&StoredSecret| it.until.is_none_or(|until| until > now);
        let open = |it: &StoredSecret| it.sealed.open(keys, PURPOSE, &self.id);
        let mut opened = self.secrets.iter().filter(is_good).map(open);
        let newest = opened.next().transpose()?;
        let all = newest.into_iter().chain(opened.filter_map(Result::ok));
        Ok(all.map(SigningSecret::from_bytes).collect())
    }

    /// Stops sending, for this reason.
    pub(super) fn disable(&mut self, reason: &str) {
        self.is_enabled = false;
        self.disabled_reason = Some(reason.to_owned());
    }

    /// As the wire shows it.
    pub(super) fn to_wire(
        &self,
        failing_since: Option<Timestamp>,
        secret: Option<Secret>,
    ) -> wire::Webhook {
        wire::Webhook {
            id: self.id.clone(),
            url: self.url.clone(),
            events: self.events.to_vec(),
            description: self.description.clone(),
            created_at: time(self.created_at),
            is_enabled: self.is_enabled,
            disabled_reason: self.disabled_reason.clone(),
            failing_since: failing_since.map(time),
            secret,
        }
    }
}

/// All webhooks, oldest first, and what is left to be cleared of those that were removed.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Roster {
    pub(super) hooks: Vec<Hook>,
    pub(super) removed: Vec<String>,
}

impl Roster {
    /// Reads it.
    pub(super) async fn read(ledger: &Arc<dyn Ledger>) -> Result<Self, LedgerError> {
        Ok(ledger.find(SHELF, KEY).await?.map_or_else(Self::default, |(roster, _)| roster))
    }

    /// Changes it, whoever else does so at once; `change` may be applied several times.
    pub(super) async fn change<A: Send>(
        ledger: &Arc<dyn Ledger>,
        mut change: impl FnMut(&mut Self) -> A + Send,
    ) -> Result<A, LedgerError> {
        let change = |stored: &mut Option<Self>| change(stored.get_or_insert_default());
        ledger.update(SHELF, KEY, change).await
    }

    /// Changes one of its webhooks; `None` if there is none of this id.
    pub(super) async fn change_one<A: Send>(
        ledger: &Arc<dyn Ledger>,
        id: &str,
        mut change: impl FnMut(&mut Hook) -> A + Send,
    ) -> Result<Option<A>, LedgerError> {
        let find = |roster: &mut Self| roster.find_mut(id).map(&mut change);
        Self::change(ledger, find).await
    }

    /// The webhook of this id.
    pub(super) fn find(&self, id: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.id == id)
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Hook> {
        self.hooks.iter_mut().find(|hook| hook.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::random::SystemRng;

    const DAY: Duration = Duration::from_secs(86_400);

    fn hook(keys: &KeyRing) -> Hook {
        let url = "https://example.com/key".to_owned();
        let events = EventNames::parse(None).unwrap();
        let mut hook = Hook::new("wh_1".into(), url, events, Timestamp::default());
        let secret = SigningSecret::generate(&SystemRng).unwrap();
        hook.sign_with(&secret, keys, Timestamp::default()).unwrap();
        hook
    }

    #[test]
    fn the_secret_before_signs_for_a_day_and_never_more_than_one_of_them() {
        let keys = KeyRing::generate().unwrap();
        let mut hook = hook(&keys);
        let now = Timestamp::default();
        for _ in 0..2 {
            let next = SigningSecret::generate(&SystemRng).unwrap();
            let before = hook.secrets(&keys, now).unwrap().remove(0);
            hook.sign_with(&next, &keys, now).unwrap();
            let signing = hook.secrets(&keys, now).unwrap();
            assert_eq!(signing[0].as_bytes(), next.as_bytes());
            assert_eq!(signing[1].as_bytes(), before.as_bytes());
            assert_eq!(signing.len(), 2);
        }
        assert_eq!(hook.secrets(&keys, now.plus(DAY)).unwrap().len(), 1);
    }

    #[test]
    fn neither_debug_nor_what_is_stored_shows_a_secret() {
        let keys = KeyRing::generate().unwrap();
        let hook = hook(&keys);
        let secret = hook.secrets(&keys, Timestamp::default()).unwrap().remove(0).to_text();
        let stored = serde_json::to_string(&hook).unwrap();
        let base64 = secret.expose().trim_start_matches(wire::SECRET_PREFIX);
        assert!(!stored.contains(base64) && !stored.contains(wire::SECRET_PREFIX));
        let shown = format!("{:?}", Roster { hooks: vec![hook], removed: Vec::new() });
        assert!(!shown.contains("https") && !shown.contains("Sealed"), "{shown}");
    }

    #[test]
    fn a_secret_of_one_webhook_is_of_no_use_to_another() {
        let keys = KeyRing::generate().unwrap();
        let moved = Hook { id: "wh_2".into(), ..hook(&keys) };
        assert_eq!(moved.secrets(&keys, Timestamp::default()).unwrap_err(), SealError::Changed);
    }
}
