//! Service keys: what other programs of the deployment present, what they may do, and which roles
//! they may grant.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_core::ledger::{Ledger, LedgerError, LedgerExt, Put, Written};
use handstamp_core::random::{SystemRng, random};
use handstamp_core::store::Page;
use handstamp_core::time::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const SHELF: &str = "service_keys";

/// What a key begins with, for secret scanners.
pub(crate) const PREFIX: &str = "hsk_";

/// Bytes of a key's id and of its secret.
const ID_BYTES: usize = 9;
const SECRET_BYTES: usize = 32;

/// How long what was read of the ledger is believed: a key that another process revoked dies
/// within this time.
const BELIEVED: Duration = Duration::from_secs(5);

/// How the names of roles and subjects begin that only the service itself and operators give.
pub(crate) const RESERVED: &str = "handstamp:";

/// Something that a service key may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Begin sessions.
    Begin,
    /// Look into tokens.
    Introspect,
    /// Report failed sign-ins.
    Failures,
    /// Note that a fresh factor was checked.
    StepUp,
    /// Follow the revocation feed.
    Feed,
    /// Everything under `/admin`.
    Admin,
}

impl Scope {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Begin, "begin"),
        (Self::Introspect, "introspect"),
        (Self::Failures, "failures"),
        (Self::StepUp, "step-up"),
        (Self::Feed, "feed"),
        (Self::Admin, "admin"),
    ];

    /// Its name, as keys are created with it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(scope, _)| *scope == self).map_or("", |(_, name)| name)
    }

    /// The scopes of a name; `sessions` is all that is not `admin`.
    ///
    /// # Errors
    /// The name is none: the text lists those there are.
    pub fn parse(name: &str) -> Result<Vec<Self>, String> {
        if name == "sessions" {
            let all = Self::ALL.iter().map(|(scope, _)| *scope);
            return Ok(all.filter(|scope| *scope != Self::Admin).collect());
        }
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(scope, _)| vec![*scope]).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            format!("{name:?} is no scope; there are {names}, and sessions for all but admin")
        })
    }
}

/// A service key, without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceKey {
    /// Names the key; not a secret.
    pub id: String,
    /// What it is for, in words.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The roles that it may grant.
    pub grant_roles: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl ServiceKey {
    /// Whether it may do this.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it may grant `role`. Roles beginning `handstamp:` are set by operators only.
    pub fn may_grant(&self, role: &str) -> bool {
        !role.starts_with(RESERVED) && self.grant_roles.iter().any(|granted| granted == role)
    }
}

/// A key that was just made: the one time that its text is shown.
pub struct NewKey {
    /// What it is.
    pub key: ServiceKey,
    /// What its holder presents.
    pub text: Zeroizing<String>,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("key", &self.key).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize, Clone)]
struct Stored {
    #[serde(flatten)]
    key: ServiceKey,
    /// SHA-256 of the 256 random bits of the secret: they need no slower hash.
    secret_sha256: String,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<Stored>>,
    read_at: Option<Timestamp>,
}

/// The service keys of a deployment.
pub struct ServiceKeys {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
}

impl fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceKeys").finish_non_exhaustive()
    }
}

impl ServiceKeys {
    /// The keys that `ledger` holds.
    pub fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock, known: RwLock::default() }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be kept; then it is good for nothing.
    pub async fn create(
        &self,
        name: &str,
        scopes: &[Scope],
        grant_roles: &[String],
    ) -> Result<NewKey, LedgerError> {
        if grant_roles.iter().any(|role| role.starts_with(RESERVED)) {
            return Err(LedgerError::Invalid("roles beginning handstamp: are granted by nobody"));
        }
        let (id, secret) = (bytes::<ID_BYTES>()?, Zeroizing::new(bytes::<SECRET_BYTES>()?));
        let key = ServiceKey {
            id: URL_SAFE_NO_PAD.encode(id),
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            grant_roles: grant_roles.to_vec(),
            created_at: self.clock.now(),
            revoked_at: None,
        };
        let stored = Stored { key: key.clone(), secret_sha256: hash(&*secret) };
        let put = Put::new(SHELF, &key.id, &stored)?.if_absent();
        match self.ledger.write(vec![put]).await? {
            Written::Applied(_) => {}
            Written::Invalid { why, .. } => return Err(LedgerError::Invalid(why)),
            Written::Conflict { .. } => return Err(LedgerError::Invalid("the id is taken")),
        }
        self.forget();
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(*secret));
        let text = Zeroizing::new(format!("{PREFIX}{}{}", key.id, *secret));
        Ok(NewKey { key, text })
    }

    /// Every key, revoked ones too, by id.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger is out of reach.
    pub async fn list(&self) -> Result<Vec<ServiceKey>, LedgerError> {
        let stored = self.read_all().await?;
        Ok(stored.into_iter().map(|stored| stored.key).collect())
    }

    /// Revokes a key: nothing that it presents is good any more. `false` if there is none with
    /// that id, or it was revoked before.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger is out of reach.
    pub async fn revoke(&self, id: &str) -> Result<bool, LedgerError> {
        let now = self.clock.now();
        let revoked = self.ledger.update(SHELF, id, |stored: &mut Option<Stored>| {
            let Some(stored) = stored.as_mut().filter(|it| it.key.revoked_at.is_none()) else {
                return false;
            };
            stored.key.revoked_at = Some(now);
            true
        });
        let is_revoked = revoked.await?;
        self.forget();
        Ok(is_revoked)
    }

    /// The key of `text`, if it is a good one.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger is out of reach: never a yes, never a no.
    ///
    /// # Security
    /// The secret is compared by its hash, in constant time; a text of another shape, or an id
    /// that is not there, costs no store call within a second of the last.
    pub async fn check(&self, text: &str) -> Result<Option<Arc<ServiceKey>>, LedgerError> {
        let Some((id, secret)) = split(text) else { return Ok(None) };
        let Some(stored) = self.find(&id).await? else { return Ok(None) };
        let is_right: bool = hash(&secret).as_bytes().ct_eq(stored.secret_sha256.as_bytes()).into();
        let is_good = is_right && stored.key.revoked_at.is_none();
        Ok(is_good.then(|| Arc::new(stored.key.clone())))
    }

    /// Whether the key of this id is still good: for streams, which outlive the check at their
    /// beginning.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) async fn is_good(&self, id: &str) -> Result<bool, LedgerError> {
        let found = self.find(id).await?;
        Ok(found.is_some_and(|stored| stored.key.revoked_at.is_none()))
    }

    async fn find(&self, id: &str) -> Result<Option<Arc<Stored>>, LedgerError> {
        if let Some(known) = self.believed(id) {
            return Ok(known);
        }
        let keys: HashMap<_, _> = self
            .read_all()
            .await?
            .into_iter()
            .map(|stored| (stored.key.id.clone(), Arc::new(stored)))
            .collect();
        let found = keys.get(id).cloned();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known { keys, read_at: Some(self.clock.now()) };
        Ok(found)
    }

    /// What is known of `id` and still believed; `None` when the ledger is to be asked. That
    /// there is no such key is believed for a second only: it may just have been made elsewhere.
    fn believed(&self, id: &str) -> Option<Option<Arc<Stored>>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let age = self.clock.now().since(known.read_at?);
        let found = known.keys.get(id).cloned();
        let most = if found.is_some() { BELIEVED } else { Duration::from_secs(1) };
        (age < most).then_some(found)
    }

    fn forget(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).read_at = None;
    }

    async fn read_all(&self) -> Result<Vec<Stored>, LedgerError> {
        let (mut all, mut page) = (Vec::new(), Page::first(1000));
        loop {
            let listed = self.ledger.list(SHELF, "", &page).await?;
            for entry in &listed.entries {
                all.push(entry.read::<Stored>()?);
            }
            match listed.next {
                Some(next) => page.after = Some(next),
                None => return Ok(all),
            }
        }
    }
}

fn bytes<const N: usize>() -> Result<[u8; N], LedgerError> {
    random(&SystemRng).map_err(|_| LedgerError::Invalid("no random bytes could be had"))
}

fn hash(secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret))
}

/// Id and secret of a key's text: lengths are fixed, since base64url may hold any separator.
fn split(text: &str) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let rest = text.strip_prefix(PREFIX)?;
    let (id, secret) = rest.split_at_checked(ID_BYTES * 4 / 3)?;
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).ok()?);
    let is_key = URL_SAFE_NO_PAD.decode(id).is_ok() && secret.len() == SECRET_BYTES;
    is_key.then(|| (id.to_owned(), secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::ledger::MemoryLedger;
    use handstamp_core::time::ManualClock;

    fn keys() -> (ServiceKeys, Arc<MemoryLedger>, Arc<ManualClock>) {
        let ledger = Arc::new(MemoryLedger::new());
        let clock = ManualClock::at(Timestamp::from_millis(0));
        let keys = ServiceKeys::new(ledger.clone(), clock.clone());
        (keys, ledger, clock)
    }

    #[tokio::test]
    async fn a_key_is_good_as_it_was_shown_and_no_other_way() {
        let (keys, ..) = keys();
        let made = keys.create("web", &[Scope::Begin], &["editor".into()]).await.unwrap();
        let found = keys.check(&made.text).await.unwrap().unwrap();
        assert_eq!(*found, made.key);
        assert!(found.may(Scope::Begin) && !found.may(Scope::Admin));
        let mut other = made.text.to_string();
        let last = if other.pop() == Some('A') { 'E' } else { 'A' };
        other.push(last);
        for text in [&*other, "", "hsk_", &made.text[4..], &format!("{}=", *made.text)] {
            assert!(keys.check(text).await.unwrap().is_none(), "{text}");
        }
    }

    #[tokio::test]
    async fn nothing_that_is_kept_or_shown_holds_the_secret() {
        let (keys, ledger, _) = keys();
        let made = keys.create("web", &[Scope::Begin], &[]).await.unwrap();
        let kept = ledger.get(SHELF, &made.key.id).await.unwrap().unwrap();
        let secret = &made.text[PREFIX.len() + made.key.id.len()..];
        assert!(!kept.body.contains(secret));
        assert!(!format!("{made:?}{keys:?}{kept:?}").contains(secret));
    }

    #[tokio::test]
    async fn a_revoked_key_is_refused_at_once_here_and_within_the_bound_elsewhere() {
        let (keys, ledger, clock) = keys();
        let elsewhere = ServiceKeys::new(ledger, clock.clone());
        let made = keys.create("web", &[Scope::Begin], &[]).await.unwrap();
        assert!(elsewhere.check(&made.text).await.unwrap().is_some());
        assert!(keys.revoke(&made.key.id).await.unwrap());
        assert!(!keys.revoke(&made.key.id).await.unwrap(), "only once");
        assert!(keys.check(&made.text).await.unwrap().is_none());
        clock.advance(BELIEVED);
        assert!(elsewhere.check(&made.text).await.unwrap().is_none());
        assert!(keys.list().await.unwrap()[0].revoked_at.is_some());
    }

    #[test]
    fn roles_of_operators_are_never_granted() {
        let granted = vec!["editor".to_owned(), "handstamp:admin".to_owned()];
        let key = ServiceKey {
            id: "k".into(),
            name: "web".into(),
            scopes: Vec::new(),
            grant_roles: granted,
            created_at: Timestamp::from_millis(0),
            revoked_at: None,
        };
        assert!(key.may_grant("editor"));
        assert!(!key.may_grant("owner") && !key.may_grant("handstamp:admin"));
    }

    #[test]
    fn sessions_is_every_scope_but_admin() {
        let all = Scope::parse("sessions").unwrap();
        assert_eq!(all.len(), 5);
        assert!(!all.contains(&Scope::Admin));
        assert_eq!(Scope::parse("step-up"), Ok(vec![Scope::StepUp]));
        assert!(Scope::parse("root").unwrap_err().contains("introspect"));
    }
}
