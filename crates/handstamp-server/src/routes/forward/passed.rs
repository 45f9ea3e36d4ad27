//! What a proxy passes on to the application, kept for some seconds.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use handstamp_axum::problem::Problem;
use handstamp_core::random::{SystemRng, random};
use handstamp_core::record::Record;
use handstamp_core::roles::Roles;
use handstamp_core::time::Timestamp;
use handstamp_core::{Session, SessionError, SessionId};
use handstamp_protocol::headers;
use handstamp_protocol::verify::{ASSERTION_SECONDS, ASSERTION_TYPE, AssertionClaims};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;

use crate::answer;
use crate::caller::refused;
use crate::service::Service;

const SESSION: HeaderName = HeaderName::from_static(headers::SESSION);
const SUBJECT: HeaderName = HeaderName::from_static(headers::SUBJECT);
const KIND: HeaderName = HeaderName::from_static(headers::KIND);
const ROLES: HeaderName = HeaderName::from_static(headers::ROLES);
const ASSERTION: HeaderName = HeaderName::from_static(headers::ASSERTION);

/// How long an assertion is handed out again. Whoever gets it has the rest of its minute.
const KEPT: Duration = Duration::from_secs(10);

/// For how many sessions and hosts; the least used go first.
const MOST: usize = 16_384;

/// What was passed on lately.
pub(crate) struct PassedOn {
    made: Cache<(SessionId, u64), Arc<Made>>,
    hosts: RandomState,
}

/// What is passed on for one session to one host.
struct Made {
    host: Box<str>,
    record: Arc<Record>,
    roles: Roles,
    at: Timestamp,
    headers: HeaderMap,
}

impl std::fmt::Debug for PassedOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PassedOn").field("len", &self.made.len()).finish_non_exhaustive()
    }
}

impl PassedOn {
    pub(crate) fn new() -> Self {
        Self { made: Cache::new(MOST), hosts: RandomState::new() }
    }

    /// The headers for a live session and the host of the original request.
    ///
    /// # Errors
    /// 503 when no assertion can be signed.
    pub(super) fn headers(
        &self,
        service: &Service,
        session: &Session,
        host: &str,
    ) -> Result<HeaderMap, Problem> {
        let record = session.record().ok_or_else(|| refused(SessionError::NotFound))?;
        let (roles, now) = (session.roles(), service.sessions.now());
        let key = (record.id, self.hosts.hash_one(host));
        if let Some(made) =
            self.made.get(&key).filter(|made| made.is_of(host, &record, &roles, now))
        {
            return Ok(made.headers.clone());
        }
        let headers = made_for(service, &record, &roles, host)?;
        let made = Made { host: host.into(), record, roles, at: now, headers };
        let headers = made.headers.clone();
        self.made.insert(key, Arc::new(made));
        Ok(headers)
    }
}

impl Made {
    /// Whether it still says what is so: of the same state of the session, and fresh enough.
    fn is_of(&self, host: &str, record: &Arc<Record>, roles: &Roles, now: Timestamp) -> bool {
        let is_same = Arc::ptr_eq(&self.record, record) || self.record.version == record.version;
        is_same
            && *self.host == *host
            && self.roles == *roles
            && now >= self.at
            && now.since(self.at) < KEPT
    }
}

fn made_for(
    service: &Service,
    record: &Record,
    roles: &Roles,
    host: &str,
) -> Result<HeaderMap, Problem> {
    let claims = claims(service, record, roles, host)?;
    let assertion = service.access.sign(ASSERTION_TYPE, &claims)?;
    let subject = claims.sub.as_deref().map(percent).unwrap_or_default();
    let roles: Vec<String> = roles.iter().map(percent).collect();
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        (SESSION, &*claims.sid),
        (SUBJECT, &subject),
        (KIND, record.kind.as_str()),
        (ROLES, &roles.join(",")),
        (ASSERTION, assertion.expose()),
    ] {
        let value = HeaderValue::from_str(value);
        headers
            .insert(name, value.map_err(|error| refused(SessionError::Unavailable(error.into())))?);
    }
    Ok(headers)
}

fn claims(
    service: &Service,
    record: &Record,
    roles: &Roles,
    host: &str,
) -> Result<AssertionClaims, Problem> {
    let seed: [u8; 16] = random(&SystemRng).map_err(|error| refused(error.into()))?;
    let iat = u64::try_from(service.sessions.now().as_millis() / 1000).unwrap_or(0);
    Ok(AssertionClaims {
        iss: service.access.issuer().to_owned(),
        aud: host.to_owned(),
        sub: record.subject.as_ref().map(ToString::to_string),
        sid: record.id.to_string(),
        kind: answer::kind(record.kind),
        roles: roles.iter().map(str::to_owned).collect(),
        iat,
        exp: iat + ASSERTION_SECONDS,
        jti: format!("{:032x}", u128::from_be_bytes(seed)),
    })
}

/// Percent-encodes all but the unreserved characters of RFC 3986: no comma, no control character
/// and nothing beyond ASCII is left.
fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn what_is_passed_on_cannot_break_out_of_its_header() {
        assert_eq!(percent("ada_1.x-y~z"), "ada_1.x-y~z");
        assert_eq!(percent("a,b\r\nc: d"), "a%2Cb%0D%0Ac%3A%20d");
        assert_eq!(percent("Zoë"), "Zo%C3%AB");
    }
}
