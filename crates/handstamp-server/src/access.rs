//! Access tokens of this service: minted, checked, and the keys for both.

mod keys;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use handstamp_axum::problem::Problem;
use handstamp_core::ledger::Ledger;
use handstamp_core::random::{SystemRng, random};
use handstamp_core::record::Record;
use handstamp_core::roles::Roles;
use handstamp_core::time::{Clock, Timestamp};
use handstamp_core::{AccessClaim, SessionError, SessionManager};
use handstamp_protocol::tokens::{ACCESS_TOKEN_TYPE, AccessClaims, Audience, Jwks};
use handstamp_protocol::{Secret, Time};
use handstamp_verify::{Expected, Keys, Liveness, Verifier, VerifyError};
use http::StatusCode;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::answer::{self, time};
use crate::body::out_of_range;
use crate::caller::refused;
use crate::error::StartError;
use crate::settings::Tokens;

use keys::{KeysInUse, SigningKeys};

/// Mints and checks access tokens.
pub(crate) struct Access {
    issuer: String,
    audience: String,
    lifetime: Duration,
    jitter_percent: u8,
    store: SigningKeys,
    in_use: RwLock<Arc<KeysInUse>>,
    keys: Arc<Keys>,
    verifier: Verifier,
    /// One for each processor.
    turns: Semaphore,
}

/// How much memory tokens that were checked before may take: 64 MiB.
const SEEN_BYTES: u64 = 64 << 20;

/// The engine's clock, as the verifier asks it.
struct EngineClock(Arc<dyn Clock>);

impl handstamp_verify::Clock for EngineClock {
    fn now(&self) -> Time {
        time(self.0.now())
    }

    fn elapsed(&self) -> Duration {
        self.0.now().since(Timestamp::from_millis(0))
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Access {
    /// Opens the signing keys, or makes the first.
    ///
    /// # Errors
    /// [`StartError::SigningKeys`], [`StartError::Ledger`].
    pub(crate) async fn open(
        sessions: &SessionManager,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        settings: &Tokens,
        public_url: &str,
    ) -> Result<Self, StartError> {
        let issuer = settings.issuer.as_ref().map_or(public_url, |issuer| issuer.as_str());
        let store = SigningKeys::new(ledger, sessions.keys().clone(), settings);
        let (in_use, set) = store.current(sessions.now()).await?;
        let expected = Expected::new(issuer, &*settings.audience).or_audience(issuer);
        let keys = Arc::new(Keys::fixed(set));
        let verifier = Verifier::with(
            expected,
            Arc::clone(&keys),
            // The engine says whether the session lives.
            Liveness::UntilExpiry,
            Arc::new(EngineClock(clock)),
            SEEN_BYTES,
        );
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: settings.audience.clone(),
            lifetime: settings.lifetime,
            jitter_percent: settings.jitter,
            store,
            in_use: RwLock::new(Arc::new(in_use)),
            keys,
            verifier,
            turns: Semaphore::new(std::thread::available_parallelism().map_or(1, Into::into)),
        })
    }

    /// Who issues.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    fn in_use(&self) -> Arc<KeysInUse> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whom a session's tokens are for: as asked, else as configured.
    ///
    /// # Errors
    /// 422 for a name that is empty or longer than 255 characters.
    pub(crate) fn audience(&self, asked: Option<&str>) -> Result<Arc<str>, Problem> {
        let audience = asked.unwrap_or(&self.audience);
        if !(1..=255).contains(&audience.len()) || audience.chars().any(char::is_control) {
            return Err(out_of_range("audience", "must have 1 to 255 characters"));
        }
        Ok(audience.into())
    }

    /// Checks a token by itself; whether its session lives is the engine's to say. One that was
    /// seen before costs a look-up.
    ///
    /// # Errors
    /// 401 `JWT_INVALID`, with the reason `expired` if that is all that is wrong.
    pub(crate) fn check(&self, token: &str) -> Result<Arc<AccessClaims>, Problem> {
        self.verifier.check(token).map_err(|error| jwt_problem(&error))
    }

    /// Waits for the turn to mint a token for somebody who waited for a commit; held while it is
    /// minted.
    ///
    /// A commit answers many at once, each of whom then signs, which takes longer than five checks.
    /// In turns their tasks become ready one by one, and checks come in between; else whatever asks
    /// meanwhile is behind all of them.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// An access token for a session, and for how long it is good: the configured life less some
    /// jitter, and never longer than the session's.
    ///
    /// # Errors
    /// 503 when no random bytes can be had or the signature fails.
    pub(crate) fn mint(
        &self,
        record: &Record,
        roles: &Roles,
        now: Timestamp,
    ) -> Result<(Secret, Duration), Problem> {
        let seed: [u8; 18] = random(&SystemRng).map_err(|error| refused(error.into()))?;
        let life = self.life(seed[16]);
        let (over, _) = answer::next_limit(record, record.last_seen);
        let life = life.min(over.since(now)).max(Duration::from_secs(1));
        let life = Duration::from_secs(life.as_secs());
        let claims = self.claims(record, roles, (now, life), &seed[..16]);
        Ok((self.sign(ACCESS_TOKEN_TYPE, &claims)?, life))
    }

    /// Signs any claims under a type of their own.
    ///
    /// # Errors
    /// 503 when the signature fails.
    pub(crate) fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<Secret, Problem> {
        let signed = self.in_use().signing.sign(typ, claims);
        signed.map(Secret::new).map_err(|error| {
            tracing::error!(%error, "an access token cannot be signed");
            refused(SessionError::Unavailable(error.into()))
        })
    }

    /// The life of a token: up to so many percent shorter, so that not all refresh at once.
    fn life(&self, random: u8) -> Duration {
        let most = self.lifetime * u32::from(self.jitter_percent) / 100;
        self.lifetime - most * u32::from(random) / 255
    }

    fn claims(
        &self,
        record: &Record,
        roles: &Roles,
        (now, life): (Timestamp, Duration),
        seed: &[u8],
    ) -> AccessClaims {
        let iat = seconds(time(now));
        AccessClaims {
            iss: self.issuer.clone(),
            aud: self.audience_of(record),
            client_id: record.client_id.as_deref().unwrap_or("handstamp").to_owned(),
            sub: record.subject.as_ref().map_or_else(|| record.id.to_string(), |it| it.to_string()),
            sid: record.id.to_string(),
            generation: record.lineage.generation,
            epoch: record.epoch,
            deployment: record.deployment_epoch,
            iat,
            exp: iat + life.as_secs(),
            nbf: None,
            jti: hex(seed),
            auth_time: seconds(time(record.authenticated_at)),
            amr: record.amr.iter().map(|method| method.to_string()).collect(),
            roles: roles.iter().map(str::to_owned).collect(),
            kind: answer::kind(record.kind),
            act: None,
            cnf: None,
        }
    }

    /// Whom the token is for. This service is always among them: a holder may look after the
    /// session with it.
    fn audience_of(&self, record: &Record) -> Audience {
        let asked: Vec<String> = record.audience.iter().map(|one| one.to_string()).collect();
        match &*asked {
            [] => Audience::One(self.audience.clone()),
            [one] if *one == self.audience => Audience::One(one.clone()),
            _ => Audience::Several([asked, vec![self.issuer.clone()]].concat()),
        }
    }

    /// The public keys: in use, next, and of tokens that still live.
    pub(crate) fn jwks(&self) -> Jwks {
        self.in_use().jwks.clone()
    }

    /// Makes the next key where that is due, forgets those that nothing needs, seals under the
    /// active root key, and takes up what other processes made.
    ///
    /// # Errors
    /// [`StartError`] when the ledger is out of reach; the keys at hand go on.
    pub(crate) async fn renew_keys(&self, now: Timestamp) -> Result<(), StartError> {
        let (in_use, set) = self.store.current(now).await?;
        if in_use.jwks != self.jwks() {
            self.keys.replace(set);
        }
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(in_use);
        Ok(())
    }
}

/// What the engine needs of an access token; `None` when it names no session.
pub(crate) fn claim(claims: &AccessClaims) -> Option<AccessClaim> {
    Some(AccessClaim {
        session: claims.sid.parse().ok()?,
        generation: claims.generation,
        epoch: claims.epoch,
        deployment_epoch: claims.deployment,
    })
}

/// When an access token is over.
pub(crate) fn expiry(claims: &AccessClaims) -> Timestamp {
    Timestamp::from_millis(
        i64::try_from(claims.exp).unwrap_or(i64::MAX / 1000).saturating_mul(1000),
    )
}

fn seconds(at: Time) -> u64 {
    u64::try_from(at.as_seconds()).unwrap_or(0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn jwt_problem(error: &VerifyError) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "JWT_INVALID", "not a good access token");
    match error.reason() {
        Some(reason) => problem.with("reason", reason.as_str()),
        None => problem,
    }
}
