//! Every call of the service, in one table: the router and the OpenAPI document are made of it.

pub(crate) mod route;
mod sessions;
mod well_known;

use handstamp_protocol::paths;
use handstamp_protocol::{
    csrf, failures, introspect, logs, page, refresh, sessions as wire, status, step_up, tokens, why,
};
use route::{Route, Who, route};

use crate::service_keys::Scope;

/// Every call.
pub(crate) fn all() -> Vec<Route> {
    [begin(), mine(), ends(), by_services(), well_known()].concat()
}

fn begin() -> Vec<Route> {
    vec![
        route!(POST paths::SESSIONS, sessions::begin, "Begin a session for somebody who has proved who they are")
            .by(Who::Service(Scope::Begin))
            .json::<wire::BeginRequest>()
            .answers::<wire::Issued>(201)
            .problems(&[409, 429]),
        route!(POST paths::GUEST, sessions::guest, "Begin a guest session")
            .optional_json::<wire::GuestRequest>()
            .answers::<wire::Issued>(201)
            .problems(&[401, 409, 429]),
        route!(POST paths::REFRESH, sessions::refresh, "Exchange a refresh token, or extend the session of a cookie")
            .optional_json::<refresh::RefreshRequest>()
            .answers::<wire::Issued>(200)
            .problems(&[401, 429]),
    ]
}

fn mine() -> Vec<Route> {
    vec![
        route!(GET paths::STATUS, sessions::status, "Is my session live, and for how long?")
            .answers::<status::Status>(200)
            .problems(&[400, 403]),
        route!(GET paths::MY_SESSIONS, sessions::my_sessions, "List my sessions")
            .by(Who::Holder)
            .query::<wire::MySessionsQuery>()
            .answers::<wire::SessionList>(200),
        route!(GET paths::MY_SESSION_LOGS, sessions::my_session_logs, "List what happened to my sessions")
            .by(Who::Holder)
            .query::<page::PageQuery>()
            .answers::<logs::LogList>(200),
        route!(GET paths::CSRF, sessions::csrf, "Get a token against cross-site requests")
            .by(Who::Holder)
            .answers::<csrf::CsrfAnswer>(200),
        route!(POST paths::WHY, sessions::why, "Why is this token refused?")
            .json::<why::WhyRequest>()
            .answers::<why::Why>(200)
            .problems(&[401]),
        route!(GET paths::SESSION_WHY, sessions::why_one, "Why did this session of mine end?")
            .by(Who::Holder)
            .answers::<why::Why>(200),
    ]
}

fn ends() -> Vec<Route> {
    vec![
        route!(POST paths::LOGOUT, sessions::logout, "Sign out")
            .optional_json::<wire::LogoutRequest>()
            .answers::<wire::EndedAnswer>(200)
            .problems(&[401]),
        route!(POST paths::LOGOUT_ALL, sessions::logout_all, "Sign out everywhere")
            .by(Who::Holder)
            .optional_json::<wire::LogoutAllRequest>()
            .answers::<wire::EndedCount>(200),
        route!(DELETE paths::SESSION, sessions::end, "End one of my sessions")
            .by(Who::Holder)
            .answers::<wire::EndedAnswer>(200),
        route!(PATCH paths::SESSION, sessions::label, "Name one of my sessions")
            .by(Who::Holder)
            .json::<wire::LabelRequest>()
            .answers_as(204, "text/plain")
            .problems(&[409]),
        route!(POST paths::REVOKE, sessions::revoke, "Revoke a token (RFC 7009)")
            .form_or_json::<introspect::TokenRequest>()
            .answers::<handstamp_protocol::Object>(200),
    ]
}

fn by_services() -> Vec<Route> {
    vec![
        route!(POST paths::INTROSPECT, sessions::introspect, "Look into a token (RFC 7662)")
            .by(Who::Service(Scope::Introspect))
            .form_or_json::<introspect::TokenRequest>()
            .answers::<introspect::Introspection>(200),
        route!(POST paths::STEP_UP, sessions::step_up, "Note that a fresh factor was checked")
            .by(Who::Service(Scope::StepUp))
            .json::<step_up::StepUpRequest>()
            .answers::<wire::Issued>(200)
            .problems(&[401, 404, 409]),
        route!(POST paths::FAILURES, sessions::failures, "Note a failed sign-in")
            .by(Who::Service(Scope::Failures))
            .json::<failures::FailureRequest>()
            .answers::<failures::FailureAnswer>(202)
            .problems(&[429]),
    ]
}

fn well_known() -> Vec<Route> {
    vec![
        route!(GET paths::JWKS, well_known::jwks, "The keys that access tokens are checked with")
            .answers::<tokens::Jwks>(200),
        route!(GET paths::OPENAPI, well_known::openapi, "This document")
            .answers::<handstamp_protocol::Object>(200),
        route!(GET paths::HEALTHZ, well_known::healthz, "Is the process alive?")
            .answers_as(200, "text/plain"),
        route!(GET paths::READYZ, well_known::readyz, "Does the store answer?")
            .answers_as(200, "text/plain"),
        route!(GET paths::METRICS, well_known::metrics, "Figures for Prometheus")
            .by(Who::Operator)
            .answers_as(200, crate::metrics::CONTENT_TYPE),
    ]
}
