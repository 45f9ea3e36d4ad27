//! What an access token must say (RFC 9068 §4, RFC 8725 §3).

use std::time::Duration;

use handstamp_protocol::Time;
use handstamp_protocol::tokens::{ACCESS_TOKEN_TYPE, AccessClaims};
use serde_json::Value;

use crate::error::{Invalid, VerifyError};
use crate::jws;
use crate::key::KeySet;

/// How far another machine's clock may be ahead of ours.
pub const MAX_SKEW: Duration = Duration::from_secs(60);

/// The last second that can be told, of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// Who must have made a token, and for whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    issuer: String,
    audiences: Vec<String>,
    skew: Duration,
}

impl Expected {
    /// Tokens of `issuer` for `audience`, both to the letter.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audiences: vec![audience.into()], skew: MAX_SKEW }
    }

    /// Tokens for `audience` as well.
    #[must_use]
    pub fn or_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// How far `nbf` and `iat` may lie in the future: 60 s by default and at most. `exp` has no
    /// such slack; holders refresh long before.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew.min(MAX_SKEW);
        self
    }

    /// Who must have made a token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks what `claims` say.
    ///
    /// # Errors
    /// [`VerifyError::Expired`] if that is all that is wrong, else [`VerifyError::Invalid`].
    pub fn check(&self, claims: &AccessClaims, now: Time) -> Result<(), VerifyError> {
        if claims.iss != self.issuer || self.issuer.is_empty() {
            return Err(Invalid::Issuer.into());
        }
        let is_ours = |ours: &String| !ours.is_empty() && claims.aud.contains(ours);
        if !self.audiences.iter().any(is_ours) {
            return Err(Invalid::Audience.into());
        }
        // A token that is bound to a key is nothing to whoever merely carries it.
        if claims.cnf.is_some() {
            return Err(Invalid::Bound.into());
        }
        let named = [&claims.sub, &claims.sid, &claims.jti, &claims.client_id];
        if named.iter().any(|text| text.is_empty()) || claims.exp <= claims.iat {
            return Err(Invalid::Claims.into());
        }
        self.check_times(claims, now)
    }

    fn check_times(&self, claims: &AccessClaims, now: Time) -> Result<(), VerifyError> {
        let times = [Some(claims.exp), Some(claims.iat), claims.nbf, Some(claims.auth_time)];
        if times.into_iter().flatten().any(|second| second > LAST_SECOND) {
            return Err(Invalid::Claims.into());
        }
        let seconds = u64::try_from(now.as_seconds()).unwrap_or(0);
        let latest = seconds.saturating_add(self.skew.as_secs());
        if claims.iat > latest || claims.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(Invalid::NotYet.into());
        }
        if is_expired(claims, now) { Err(VerifyError::Expired) } else { Ok(()) }
    }
}

/// Whether a token is past its time: from the second of `exp` on.
pub(crate) fn is_expired(claims: &AccessClaims, now: Time) -> bool {
    u64::try_from(now.as_seconds()).unwrap_or(0) >= claims.exp
}

/// Checks an access token by itself: form, signature, claims. Whether its session still lives is
/// for a [`Verifier`](crate::Verifier), or for whoever has the session's record.
///
/// # Errors
/// [`VerifyError::Invalid`], [`VerifyError::UnknownKey`], [`VerifyError::Expired`].
pub fn access_token(
    token: &str,
    keys: &KeySet,
    expected: &Expected,
    now: Time,
) -> Result<AccessClaims, VerifyError> {
    let claims = jws::verify(token, ACCESS_TOKEN_TYPE, keys)?;
    let claims: AccessClaims =
        serde_json::from_value(Value::Object(claims)).map_err(|_| Invalid::Claims)?;
    expected.check(&claims, now)?;
    Ok(claims)
}
