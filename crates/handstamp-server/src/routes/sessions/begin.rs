//! Sessions begin: for a user or guest that a service vouches for, and for guests who come by
//! themselves.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::SessionSlot;
use handstamp_axum::problem::Problem;
use handstamp_core::record::{self, Client};
use handstamp_core::roles::Roles;
use handstamp_core::text::plain;
use handstamp_core::{Begun, SessionError, SessionId, SignIn};
use handstamp_protocol::Object;
use handstamp_protocol::sessions::{BeginRequest, GuestRequest, Issued, Kind, Transport};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::methods::methods;
use crate::answer;
use crate::body::{Json, OptionalJson, bad, out_of_range};
use crate::caller::{Begin, Holder, ServiceCaller, Via, forbidden, refused};
use crate::idempotency::Claim;
use crate::issue;
use crate::json::Body;
use crate::limits::Limited;
use crate::risk::{Foreseen, source_of};
use crate::service::Service;
use crate::service_keys::{RESERVED, ServiceKey};

/// The longest name, e-mail address or telephone number, in characters.
const LONGEST_TEXT: usize = 320;

/// `POST /sessions`.
pub(crate) async fn begin(
    State(service): State<Arc<Service>>,
    ServiceCaller(key, _): ServiceCaller<Begin>,
    headers: HeaderMap,
    Json(request): Json<BeginRequest>,
) -> Result<Response, Problem> {
    service.limits.check(Limited::Begin, &key.id)?;
    let claim = match idempotency_key(&headers)? {
        Some(name) => Some(service.idempotency.claim(&key.id, name, &request).await?),
        None => None,
    };
    let claim = match claim {
        Some(Claim::Done(id)) => return again(&service, id).await,
        Some(Claim::New(claim)) => Some(claim),
        None => None,
    };
    let client = service.client_told(&request.client);
    let begun = begin_for(&service, &key, &request, client.clone()).await;
    match (begun, claim) {
        (Ok((begun, foreseen)), claim) => {
            if let Some(claim) = claim {
                claim.fill(begun.record.id).await?;
            }
            stop(&service, &begun, foreseen).await?;
            created(&service, &begun).await
        }
        (Err(problem), claim) => {
            if let Some(claim) = claim {
                claim.give_up().await;
            }
            Err(problem)
        }
    }
}

async fn begin_for(
    service: &Service,
    key: &ServiceKey,
    request: &BeginRequest,
    client: Client,
) -> Result<(Begun, Foreseen), Problem> {
    let sign_in = sign_in(service, key, request, client)?;
    let foreseen = service.risk.foresee(&service.sessions, &sign_in).await.map_err(refused)?;
    let begun = service.sessions.begin(foreseen.told_by(sign_in)).await.map_err(begin_problem)?;
    Ok((begun, foreseen))
}

/// Stops a session where a risk rule says so, before a token is handed out.
///
/// # Errors
/// 401 for a session that a rule has set aside or ended; no token of it was handed out. Its id is
/// told, so that the caller can check another factor and step it up.
async fn stop(service: &Service, begun: &Begun, foreseen: Foreseen) -> Result<(), Problem> {
    let judged = service.risk.begun(&service.sessions, foreseen, &begun.record).await;
    if !judged.map_err(refused)?.action.stops() {
        return Ok(());
    }
    let id = begun.record.id;
    let why = service.sessions.why_of(id).await.map_err(refused)?;
    let error = match why.and_then(|why| why.ended) {
        Some(ended) => SessionError::Ended { reason: ended.reason, ended_at: ended.at },
        None => SessionError::Suspended,
    };
    Err(stopped(error, id))
}

fn stopped(error: SessionError, id: SessionId) -> Problem {
    refused(error).with("session_id", id.to_string())
}

async fn created(service: &Service, begun: &Begun) -> Result<Response, Problem> {
    let issued: Issued = issue::issued(service, begun).await?;
    Ok((StatusCode::CREATED, Body(issued)).into_response())
}

/// The session that the same key and body began before.
async fn again(service: &Service, id: SessionId) -> Result<Response, Problem> {
    match service.sessions.begun(id).await {
        Ok(Some(begun)) => created(service, &begun).await,
        Err(error) => Err(begin_problem(error)),
        Ok(None) if is_aside(service, id).await? => Err(stopped(SessionError::Suspended, id)),
        Ok(None) => Err(Problem::new(
            StatusCode::CONFLICT,
            "CONFLICT",
            "the session of this Idempotency-Key is in use or has ended since",
        )),
    }
}

/// Whether a rule has set the session aside when it began.
async fn is_aside(service: &Service, id: SessionId) -> Result<bool, Problem> {
    let record = service.sessions.record(id).await.map_err(refused)?;
    Ok(record.is_some_and(|record| record.suspended.is_some() && !record.is_tombstone()))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(handstamp_protocol::headers::IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad(StatusCode::BAD_REQUEST, "a request has one Idempotency-Key"));
    }
    let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
    text.map(Some).ok_or_else(|| out_of_range("Idempotency-Key", "must have 1 to 255 characters"))
}

fn sign_in(
    service: &Service,
    key: &ServiceKey,
    request: &BeginRequest,
    client: Client,
) -> Result<SignIn, Problem> {
    let mut sign_in = named(&request.subject, request)?
        .client(client)
        .client_id(key.id.as_str())
        .roles(roles(service, key, request.roles.as_deref().unwrap_or_default())?)
        .remember(request.remember.unwrap_or_default())
        .audience([service.access.audience(request.audience.as_deref())?])
        .transport(transport(request.transport.as_ref())?);
    if request.kind.as_ref().is_some_and(|kind| *kind == Kind::Guest) {
        sign_in = sign_in.guest();
    }
    if let Some(amr) = &request.amr {
        sign_in = sign_in.amr(methods(amr)?);
    }
    if let Some(claims) = &request.claims {
        sign_in = sign_in.claims(answer::json_text(claims));
    }
    if let Some(token) = &request.upgrade_from {
        sign_in = sign_in.upgrade_from(token.expose());
    }
    let lifetime = request.lifetime.clone().unwrap_or_default();
    if let Some(idle) = lifetime.idle_seconds {
        sign_in = sign_in.idle(seconds("lifetime.idle_seconds", idle)?);
    }
    if let Some(absolute) = lifetime.absolute_seconds {
        sign_in = sign_in.absolute(seconds("lifetime.absolute_seconds", absolute)?);
    }
    with_data(sign_in, request.data.as_ref())
}

fn named(subject: &str, request: &BeginRequest) -> Result<SignIn, Problem> {
    let is_kind = |kind: &Kind| matches!(kind, Kind::User | Kind::Guest);
    if !request.kind.as_ref().is_none_or(is_kind) {
        return Err(out_of_range("kind", "must be user or guest"));
    }
    if subject.starts_with(RESERVED) {
        return Err(out_of_range("subject", "must not begin with handstamp:"));
    }
    let subject = SignIn::new(subject);
    let mut sign_in = subject.map_err(|error| out_of_range("subject", error.to_string()))?;
    if let Some(name) = text("name", request.name.as_deref())? {
        sign_in = sign_in.name(name);
    }
    if let Some(email) = text("email", request.email.as_deref())? {
        sign_in = sign_in.email(email);
    }
    if let Some(phone) = text("phone", request.phone.as_deref())? {
        sign_in = sign_in.phone(phone);
    }
    Ok(sign_in)
}

/// A text of the profile: shown as it is, so without what could mislead a reader.
fn text(field: &str, given: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(given) = given else { return Ok(None) };
    if given.chars().count() > LONGEST_TEXT {
        return Err(out_of_range(field, "must have at most 320 characters"));
    }
    Ok(Some(plain(given, LONGEST_TEXT).unwrap_or_default()))
}

/// Roles that the key may grant; that of operators is granted by operators only, whatever it is
/// called.
fn roles(service: &Service, key: &ServiceKey, asked: &[String]) -> Result<Roles, Problem> {
    let is_operators = |role: &String| *role == service.settings.admin.role;
    if !asked.iter().all(|role| key.may_grant(role) && !is_operators(role)) {
        return Err(forbidden("the service key may not grant one of the roles"));
    }
    Roles::new(asked.iter().map(String::as_str))
        .map_err(|error| out_of_range("roles", error.to_string()))
}

fn transport(asked: Option<&Transport>) -> Result<record::Transport, Problem> {
    match asked {
        None | Some(Transport::Token) => Ok(record::Transport::Token),
        Some(Transport::Cookie) => Ok(record::Transport::Cookie),
        Some(_) => Err(out_of_range("transport", "must be token or cookie")),
    }
}

fn seconds(field: &str, given: u64) -> Result<Duration, Problem> {
    if given == 0 {
        return Err(out_of_range(field, "must be at least 1"));
    }
    Ok(Duration::from_secs(given))
}

fn with_data(sign_in: SignIn, data: Option<&Object>) -> Result<SignIn, Problem> {
    let values = data.map(|object| &object.0).into_iter().flatten();
    let with = |sign_in: SignIn, (key, value): (&String, &serde_json::Value)| {
        let added = sign_in.data(key, value);
        added.map_err(|error| out_of_range("data", error.to_string()))
    };
    values.into_iter().try_fold(sign_in, with)
}

/// The problem of a session that could not begin. What is wrong with the guest's token is the
/// request's fault and not the caller's credential.
fn begin_problem(error: SessionError) -> Problem {
    match error {
        SessionError::Data(error) => out_of_range("data", error.to_string()),
        SessionError::Refused(why) => bad(StatusCode::UNPROCESSABLE_ENTITY, why),
        SessionError::Invalid => out_of_range("upgrade_from", "not a good token of a guest"),
        error @ (SessionError::NotFound
        | SessionError::Ended { .. }
        | SessionError::Expired { .. }
        | SessionError::Suspended) => {
            out_of_range("upgrade_from", format!("the guest's session is not live: {error}"))
        }
        other => handstamp_axum::SessionRejection::Session(other).problem(),
    }
}

/// `POST /sessions/guest`. A browser that asks for a cookie gets it set; a program gets tokens.
pub(crate) async fn guest(
    State(service): State<Arc<Service>>,
    parts: Parts,
    OptionalJson(request): OptionalJson<GuestRequest>,
) -> Result<Response, Problem> {
    let guests = &service.settings.guests;
    if !guests.enabled {
        return Err(forbidden("guest sessions are switched off (guests.enabled)"));
    }
    let client = service.client_of(&parts);
    let source = client.ip.map_or_else(|| "local".to_owned(), |ip| source_of(ip).to_string());
    service.limits.check(Limited::Guest, &source)?;
    let transport = transport(request.transport.as_ref())?;
    let audience = service.access.audience(request.audience.as_deref())?;
    let name = text("name", request.name.as_deref())?;
    let sign_in = service.sessions.guest().map_err(begin_problem)?.client(client);
    let sign_in = sign_in.transport(transport).audience([audience]).absolute(guests.absolute);
    let sign_in = guests.idle.into_iter().fold(sign_in, SignIn::idle);
    let sign_in = name.into_iter().fold(sign_in, SignIn::name);
    let sign_in = with_data(sign_in, request.data.as_ref())?;
    if transport == record::Transport::Token {
        let begun = service.sessions.begin(sign_in).await.map_err(begin_problem)?;
        return created(&service, &begun).await;
    }
    let Some(slot) = parts.extensions.get::<SessionSlot>() else {
        return Err(handstamp_axum::SessionRejection::NoLayer.problem());
    };
    let session = slot.load().await.map_err(refused)?;
    if session.is_authenticated() {
        return Err(bad(StatusCode::CONFLICT, "a user is signed in here: sign out first"));
    }
    session.login(sign_in).await.map_err(begin_problem)?;
    let cookie = issue::access_cookie(&service, &session)?;
    let holder = Holder { session, via: Via::Cookie, token_expiry: None };
    Ok((StatusCode::CREATED, cookie, Body(issue::of_cookie_session(&holder)?)).into_response())
}
