//! Who is calling: a holder by access token or cookie, a service by its key, an operator.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use handstamp_axum::problem::Problem;
use handstamp_axum::{CSRF_HEADER, SessionRejection, SessionSlot};
use handstamp_core::policy::Standing;
use handstamp_core::record::{Client, Record};
use handstamp_core::roles::Roles;
use handstamp_core::time::Timestamp;
use handstamp_core::{Session, SessionError};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::access;
use crate::answer::Shown;
use crate::service::Service;
use crate::service_keys::{self, Scope, ServiceKey};

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What stands in the `Authorization` header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authority<'a> {
    /// Nothing: a cookie may be the authority.
    None,
    /// Something in the form of a service key.
    ServiceKey(&'a str),
    /// Anything else: an access token, if anything.
    AccessToken(&'a str),
}

impl<'a> Authority<'a> {
    /// Reads the header (RFC 6750 §2.1).
    ///
    /// # Errors
    /// 400 for two headers, or one that is not a Bearer token; 401 for an empty one.
    pub(crate) fn of(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Self::None) };
        if values.next().is_some() {
            return Err(bad("two Authorization headers"));
        }
        let text = value.to_str().map_err(|_| bad("an Authorization header is ASCII"))?;
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(bad("send Authorization: Bearer and a token"));
        }
        match token.trim_matches(' ') {
            "" => Err(refused(SessionError::Invalid)),
            key if key.starts_with(service_keys::PREFIX) => Ok(Self::ServiceKey(key)),
            token => Ok(Self::AccessToken(token)),
        }
    }
}

fn bad(detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", detail)
}

/// The problem of a caller whose own credential is not good: a 401, unless the fault is ours.
pub(crate) fn refused(error: SessionError) -> Problem {
    if error.is_fault() {
        return SessionRejection::Session(error).problem();
    }
    SessionRejection::SignIn { error, to: None }.problem()
}

/// The problem of a call that may not be made by this caller.
pub(crate) fn forbidden(detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail)
}

/// How a holder presented the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    /// By the session cookie.
    Cookie,
    /// By an access token.
    AccessToken,
}

/// The holder of a live session.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) session: Session,
    pub(crate) via: Via,
    /// When the access token is over, where one was presented.
    pub(crate) token_expiry: Option<Timestamp>,
}

/// What is to be shown of a holder's own session.
pub(crate) struct OwnSession {
    pub(crate) record: Arc<Record>,
    pub(crate) roles: Roles,
    pub(crate) last_seen: Timestamp,
}

impl OwnSession {
    /// As the wire shows it.
    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown {
            record: &self.record,
            roles: &self.roles,
            standing: &Standing::Live,
            last_seen: self.last_seen,
            is_current: true,
        }
    }
}

impl Holder {
    /// Whoever makes this request, which counts as activity of the session.
    pub(crate) async fn of(parts: &Parts, service: &Service) -> Result<Self, Problem> {
        let holder = Self::present(parts, service).await?;
        if holder.via == Via::AccessToken {
            // The layer notes the activity of cookies.
            holder.session.touch();
        }
        Ok(holder)
    }

    /// Whoever makes this request, which is no activity: polls, streams, automatic refreshes.
    pub(crate) async fn onlooking(parts: &Parts, service: &Service) -> Result<Self, Problem> {
        let holder = Self::present(parts, service).await?;
        holder.session.not_activity();
        Ok(holder)
    }

    /// Whoever looks at a page or posts its form, by cookie only; forms bring their token against
    /// cross-site requests themselves.
    pub(crate) async fn in_browser(parts: &Parts) -> Result<Self, Problem> {
        match Authority::of(&parts.headers)? {
            Authority::None => presented_cookie(parts).await,
            _ => Err(forbidden("pages are for browsers, and take a session cookie")),
        }
    }

    async fn present(parts: &Parts, service: &Service) -> Result<Self, Problem> {
        match Authority::of(&parts.headers)? {
            Authority::AccessToken(token) => by_access_token(token, service).await,
            Authority::ServiceKey(_) => Err(refused(SessionError::Invalid)),
            Authority::None => by_cookie(parts, service).await,
        }
    }

    /// The holder's session, to be shown.
    ///
    /// # Errors
    /// 401 when it has ended within this request.
    pub(crate) fn own(&self) -> Result<OwnSession, Problem> {
        let record = self.session.record().ok_or_else(|| refused(SessionError::NotFound))?;
        let last_seen = self.session.last_seen().unwrap_or(record.last_seen);
        Ok(OwnSession { roles: self.session.roles(), last_seen, record })
    }
}

impl FromRequestParts<Arc<Service>> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Problem> {
        Self::of(parts, service).await
    }
}

pub(crate) async fn by_access_token(token: &str, service: &Service) -> Result<Holder, Problem> {
    let claims = service.access.check(token)?;
    let claim = access::claim(&claims).ok_or_else(|| refused(SessionError::Invalid))?;
    let session = match service.sessions.try_access(&claim, Client::default()) {
        Some(session) => session,
        None => {
            let loaded = service.sessions.load_access(&claim, Client::default()).await;
            loaded.map_err(refused)?
        }
    };
    Ok(Holder { session, via: Via::AccessToken, token_expiry: Some(access::expiry(&claims)) })
}

async fn by_cookie(parts: &Parts, service: &Service) -> Result<Holder, Problem> {
    let holder = presented_cookie(parts).await?;
    if service.settings.cookies.csrf_token_required && !is_safe(&parts.method) {
        check_csrf_token(&parts.headers, &holder.session)?;
    }
    Ok(holder)
}

async fn presented_cookie(parts: &Parts) -> Result<Holder, Problem> {
    refuse_embedded(&parts.headers)?;
    let Some(slot) = parts.extensions.get::<SessionSlot>() else {
        return Err(SessionRejection::NoLayer.problem());
    };
    let session = slot.load().await.map_err(refused)?;
    if let Some(why) = session.refusal() {
        return Err(refused(why.into()));
    }
    if session.id().is_none() {
        return Err(refused(SessionError::NotFound));
    }
    Ok(Holder { session, via: Via::Cookie, token_expiry: None })
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn check_csrf_token(headers: &HeaderMap, session: &Session) -> Result<(), Problem> {
    let token = headers.get(CSRF_HEADER).and_then(|token| token.to_str().ok());
    match token {
        Some(token) if session.verify_csrf(token) => Ok(()),
        _ => Err(SessionRejection::Csrf.problem()),
    }
}

/// Refuses to answer a cookie's holder from within another site, even to a read: as a script, a
/// picture, a plug-in, or by `fetch` (ASVS 3.5.8).
fn refuse_embedded(headers: &HeaderMap) -> Result<(), Problem> {
    let is = |name: HeaderName, values: &[&str]| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| values.contains(&value))
    };
    let is_embedded = is(SEC_FETCH_DEST, &["script", "image", "object", "embed"]);
    let is_foreign = is(SEC_FETCH_SITE, &["cross-site"]) && !is(SEC_FETCH_MODE, &["navigate"]);
    if is_embedded || is_foreign {
        return Err(SessionRejection::CrossSite(handstamp_axum::site::Why::CrossSite).problem());
    }
    Ok(())
}

/// Takes the cookie of a session that is over out of the browser; a session that is set aside
/// ends. Answers whether this ended one.
pub(crate) async fn forget_cookie(parts: &Parts) -> Result<(), Problem> {
    let Some(slot) = parts.extensions.get::<SessionSlot>() else { return Ok(()) };
    let session = slot.load().await.map_err(refused)?;
    session.logout().await.map_err(refused)
}

/// Names a scope by a type, so that a handler asks for a caller that has it.
pub(crate) trait HasScope {
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($name:ident),*) => {
        $(
            /// The scope of that name.
            #[derive(Debug)]
            pub(crate) struct $name;
            impl HasScope for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )*
    };
}
scopes!(Begin, Introspect, Failures, StepUp, Feed);

/// A service whose key has the scope `S`.
#[derive(Debug)]
pub(crate) struct ServiceCaller<S>(pub(crate) Arc<ServiceKey>, pub(crate) PhantomData<S>);

impl<S: HasScope> FromRequestParts<Arc<Service>> for ServiceCaller<S> {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Problem> {
        let key = service_key(&parts.headers, service).await?;
        if !key.may(S::SCOPE) {
            return Err(forbidden("the service key has not the scope for this"));
        }
        Ok(Self(key, PhantomData))
    }
}

async fn service_key(headers: &HeaderMap, service: &Service) -> Result<Arc<ServiceKey>, Problem> {
    let text = match Authority::of(headers)? {
        Authority::None => return Err(refused(SessionError::NotFound)),
        Authority::AccessToken(_) => return Err(refused(SessionError::Invalid)),
        Authority::ServiceKey(text) => text,
    };
    let found = service.keys.check(text).await.map_err(|error| {
        tracing::error!(%error, "service keys cannot be read");
        refused(SessionError::Unavailable(error.into()))
    })?;
    found.ok_or_else(|| refused(SessionError::Invalid))
}

/// Stands in the extensions of requests that came by the local socket, which only the operator's
/// user can open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalSocket;

/// Somebody who may operate the service.
#[derive(Debug)]
pub(crate) struct Operator {
    /// What stands as the actor in events.
    pub(crate) name: Arc<str>,
    /// The session that they act from, if they act from one.
    pub(crate) holder: Option<Holder>,
}

impl Operator {
    /// Whoever makes this request.
    pub(crate) async fn of(parts: &Parts, service: &Service) -> Result<Self, Problem> {
        if parts.extensions.get::<LocalSocket>().is_some() {
            return Ok(Self { name: "operator:local".into(), holder: None });
        }
        if let Authority::ServiceKey(_) = Authority::of(&parts.headers)? {
            let key = service_key(&parts.headers, service).await?;
            if !key.may(Scope::Admin) {
                return Err(forbidden("the service key has not the scope admin"));
            }
            return Ok(Self { name: format!("service:{}", key.id).into(), holder: None });
        }
        Self::by_holder(Holder::of(parts, service).await?, service)
    }

    /// The holder of a session, if they may operate the service.
    pub(crate) fn by_holder(holder: Holder, service: &Service) -> Result<Self, Problem> {
        let admin = &service.settings.admin;
        if !holder.session.has_role(&admin.role) {
            return Err(forbidden("only operators may do this"));
        }
        if !holder.session.is_fresh(admin.fresh) {
            return Err(step_up(admin.fresh));
        }
        let subject = holder.session.user_id().map_or_else(String::new, |who| who.to_string());
        Ok(Self { name: format!("operator:{subject}").into(), holder: Some(holder) })
    }
}

impl FromRequestParts<Arc<Service>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Problem> {
        Self::of(parts, service).await
    }
}

/// The problem of a sign-in that is not fresh enough.
pub(crate) fn step_up(max_age: Duration) -> Problem {
    SessionRejection::StepUp { max_age, to: None }.problem()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, (*value).try_into().unwrap());
        }
        headers
    }

    fn status(values: &[&str]) -> u16 {
        Authority::of(&headers(values)).err().map_or(200, |problem| problem.status().as_u16())
    }

    #[test]
    fn s72_the_header_holds_one_bearer_token() {
        assert_eq!(status(&[]), 200);
        assert_eq!(status(&["Bearer abc"]), 200);
        assert_eq!(status(&["bEARER abc"]), 200, "the scheme's case does not count");
        assert_eq!(status(&["Bearer abc", "Bearer abc"]), 400);
        assert_eq!(status(&["Basic dTpw"]), 400);
        assert_eq!(status(&["abc"]), 400);
        assert_eq!(status(&["Bearer"]), 401);
        assert_eq!(status(&["Bearer  "]), 401);
    }

    #[test]
    fn a_service_key_is_told_from_an_access_token_by_its_prefix() {
        let given = headers(&["Bearer hsk_x"]);
        assert!(Authority::of(&given).ok() == Some(Authority::ServiceKey("hsk_x")));
        let given = headers(&["Bearer eyJ.x.y"]);
        assert!(Authority::of(&given).ok() == Some(Authority::AccessToken("eyJ.x.y")));
    }
}
