//! What a session's holder gets: tokens, or cookies.

use std::time::Duration;

use handstamp_axum::SessionRejection;
use handstamp_axum::cookies::{self, CookieError, SetCookie};
use handstamp_axum::problem::Problem;
use handstamp_core::config::CookieSettings;
use handstamp_core::policy::Standing;
use handstamp_core::record::Transport;
use handstamp_core::{Begun, Session};
use handstamp_protocol::Secret;
use handstamp_protocol::sessions::{CookieAnswer, Issued, TokenAnswer};
use http::HeaderMap;
use http::header::SET_COOKIE;

use crate::answer::{self, Shown, next_limit};
use crate::caller::Holder;
use crate::service::Service;

/// The cookie that holds an access token, where the configuration asks for one.
pub(crate) const ACCESS_COOKIE: &str = "__Host-handstamp-access";

/// The same over plain HTTP, where browsers refuse the prefix.
pub(crate) const ACCESS_COOKIE_PLAIN: &str = "handstamp-access";

/// The answer to a session that began, was refreshed or stepped up.
pub(crate) async fn issued(service: &Service, begun: &Begun) -> Result<Issued, Problem> {
    let _turn = service.access.turn().await;
    let record = &begun.record;
    let session = answer::session(Shown {
        record,
        roles: &begun.roles,
        standing: &Standing::Live,
        last_seen: record.last_seen,
        is_current: true,
    });
    if record.transport == Transport::Cookie {
        let mut set_cookie = vec![session_cookie(service, begun)?];
        if service.settings.cookies.access_token {
            set_cookie.extend(access_cookie_text(service, record, &begun.roles)?);
        }
        let set_cookie = set_cookie.into_iter().map(Secret::from).collect();
        return Ok(Issued::Cookie(Box::new(CookieAnswer { session, set_cookie })));
    }
    let now = service.sessions.now();
    let (access_token, expires_in) = service.access.mint(record, &begun.roles, now)?;
    let (over, _) = next_limit(record, record.last_seen);
    Ok(Issued::Token(Box::new(TokenAnswer {
        session,
        access_token,
        token_type: "Bearer".into(),
        expires_in: expires_in.as_secs(),
        refresh_token: Secret::new(begun.token.to_text().as_str()),
        refresh_expires_in: over.since(now).as_secs(),
    })))
}

/// The answer about a holder's session whose cookie the service sets itself.
pub(crate) fn of_cookie_session(holder: &Holder) -> Result<Issued, Problem> {
    let session = answer::session(holder.own()?.shown());
    Ok(Issued::Cookie(Box::new(CookieAnswer { session, set_cookie: Vec::new() })))
}

fn session_cookie(service: &Service, begun: &Begun) -> Result<String, Problem> {
    let value = cookies::session_cookie(service.sessions.config(), begun, service.sessions.now());
    let value = value.map_err(|error| unfit(&error))?;
    Ok(value.to_str().unwrap_or_default().to_owned())
}

/// The header of the access cookie, where the configuration asks for one.
pub(crate) fn access_cookie(service: &Service, session: &Session) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    let record = session.record().filter(|_| service.settings.cookies.access_token);
    if let Some(record) = record {
        let text = access_cookie_text(service, &record, &session.roles())?;
        if let Some(text) = text {
            headers.append(SET_COOKIE, text.try_into().map_err(|error| unfit(&error))?);
        }
    }
    Ok(headers)
}

/// Takes the access cookie out of the browser with the session's own: a server that checks it by
/// itself would let its holder in for as long as it lives (ASVS 7.4.1).
pub(crate) fn forget_access(service: &Service, headers: &mut HeaderMap) {
    if !service.settings.cookies.access_token {
        return;
    }
    let settings = service.sessions.config().cookie();
    let removal = format!("{}=;", settings.name);
    let mut set = headers.get_all(SET_COOKIE).iter();
    if !set.any(|value| value.as_bytes().starts_with(removal.as_bytes())) {
        return;
    }
    match access_cookie_of("", Duration::ZERO, settings).to_header() {
        Ok(value) => {
            headers.append(SET_COOKIE, value);
        }
        Err(error) => tracing::error!(%error, "the access cookie cannot be removed"),
    }
}

fn access_cookie_of<'a>(
    value: &'a str,
    max_age: Duration,
    settings: &'a CookieSettings,
) -> SetCookie<'a> {
    SetCookie {
        name: if settings.secure { ACCESS_COOKIE } else { ACCESS_COOKIE_PLAIN },
        value,
        path: "/",
        max_age: Some(max_age),
        http_only: true,
        secure: settings.secure,
        same_site: settings.same_site.as_str(),
    }
}

/// `None` for a token that is larger than browsers keep a cookie: many roles come to that. The
/// session stands by then, and its own cookie holds it, so its holder is not told of a failure.
fn access_cookie_text(
    service: &Service,
    record: &handstamp_core::record::Record,
    roles: &handstamp_core::roles::Roles,
) -> Result<Option<String>, Problem> {
    let (token, expires_in) = service.access.mint(record, roles, service.sessions.now())?;
    let settings = service.sessions.config().cookie();
    let cookie = access_cookie_of(token.expose(), expires_in, settings);
    match cookie.to_header() {
        Ok(header) => Ok(Some(header.to_str().unwrap_or_default().to_owned())),
        Err(CookieError::TooLarge { size }) => {
            tracing::warn!(session = %record.id, size, "an access cookie is left out: it is too large");
            Ok(None)
        }
        Err(error) => Err(unfit(&error)),
    }
}

fn unfit(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a cookie cannot be written");
    SessionRejection::NoLayer.problem()
}
