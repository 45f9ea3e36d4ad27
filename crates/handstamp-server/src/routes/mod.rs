//! Every call of the service, in one table: the router and the OpenAPI document are made of it.

pub(crate) mod admin;
mod events;
mod feed;
mod forward;
mod local;
pub(crate) mod route;
pub(crate) mod sessions;
pub(crate) mod well_known;

pub(crate) use events::Places;
pub(crate) use forward::PassedOn;
use handstamp_protocol::paths;
use handstamp_protocol::{
    admin as operators, analytics, csrf, failures, feed as wire_feed, introspect, logs, page,
    policy, refresh, sessions as wire, status, step_up, subjects, tokens, verify,
    webhooks as hooks, why,
};
pub(crate) use local::local;
pub(crate) use route::{Direct, Route};
use route::{Who, route};

use crate::service_keys::Scope;

/// Every call.
pub(crate) fn all() -> Vec<Route> {
    [
        begin(),
        mine(),
        ends(),
        by_services(),
        follow(),
        well_known(),
        operate(),
        operate_subjects(),
        watch(),
        webhooks(),
    ]
    .concat()
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
            .frequent()
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

fn follow() -> Vec<Route> {
    vec![
        route!(GET paths::FEED_REVOCATIONS, feed::revocations, "Follow what verifiers must hear of")
            .by(Who::Service(Scope::Feed))
            .query::<wire_feed::FeedQuery>()
            .answers_as(200, crate::sse::MEDIA)
            .problems(&[410]),
        route!(GET paths::EVENTS, events::events, "Follow what happens to my sessions")
            .by(Who::Holder)
            .answers_as(200, crate::sse::MEDIA)
            .problems(&[429]),
        route!(GET paths::ADMIN_EVENTS, events::admin_events, "Follow what happens")
            .by(Who::Operator)
            .answers_as(200, crate::sse::MEDIA),
        route!(ANY paths::VERIFY, forward::verify, "May this request pass? For proxies, by any method")
            .frequent()
            .by(Who::Holder)
            .query::<verify::VerifyQuery>()
            .answers_as(200, "text/plain")
            .answers_as(302, "text/plain"),
        route!(GET paths::FEED_SNAPSHOT, feed::snapshot, "Get all that verifiers must know")
            .by(Who::Service(Scope::Feed))
            .answers::<wire_feed::Snapshot>(200),
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

fn operate() -> Vec<Route> {
    vec![
        route!(GET paths::ADMIN_SESSIONS, admin::sessions, "List sessions of everybody")
            .by(Who::Operator)
            .query::<operators::AdminSessionsQuery>()
            .answers::<wire::SessionList>(200),
        route!(POST paths::ADMIN_SESSIONS_END, admin::end, "End those that a filter or a list names")
            .by(Who::Operator)
            .json::<operators::EndRequest>()
            .answers::<operators::EndAnswer>(200),
        route!(POST paths::ADMIN_UNDO, admin::undo, "Take a bulk end back")
            .by(Who::Operator)
            .answers::<operators::UndoAnswer>(200),
        route!(POST paths::ADMIN_SESSION_SUSPEND, admin::suspend, "Set a session aside")
            .by(Who::Operator)
            .optional_json::<operators::SuspendRequest>()
            .answers::<operators::SuspendedAnswer>(200)
            .problems(&[409]),
        route!(POST paths::ADMIN_SESSION_RESUME, admin::resume, "Take a session back")
            .by(Who::Operator)
            .answers::<operators::SuspendedAnswer>(200)
            .problems(&[409]),
        route!(POST paths::ADMIN_POLICY_DRY_RUN, admin::dry_run, "Whom would other limits sign out?")
            .by(Who::Operator)
            .json::<policy::DryRunRequest>()
            .answers::<policy::DryRunAnswer>(200),
    ]
}

fn operate_subjects() -> Vec<Route> {
    vec![
        route!(PUT paths::ADMIN_SUBJECT_ROLES, admin::roles, "Name the roles of a subject")
            .by(Who::Operator)
            .json::<subjects::RolesRequest>()
            .answers::<subjects::SubjectAnswer>(200),
        route!(POST paths::ADMIN_SUBJECT_DISABLE, admin::disable, "Disable a subject and end its sessions")
            .by(Who::Operator)
            .optional_json::<subjects::SubjectRequest>()
            .answers::<subjects::SubjectAnswer>(200),
        route!(POST paths::ADMIN_SUBJECT_ENABLE, admin::enable, "Enable a subject")
            .by(Who::Operator)
            .optional_json::<subjects::SubjectRequest>()
            .answers::<subjects::SubjectAnswer>(200),
        route!(POST paths::ADMIN_SUBJECT_ERASE, admin::erase, "End a subject's sessions and erase what is personal of it")
            .by(Who::Operator)
            .optional_json::<subjects::SubjectRequest>()
            .answers::<subjects::SubjectAnswer>(200)
            .problems(&[404]),
    ]
}

fn watch() -> Vec<Route> {
    vec![
        route!(GET paths::ADMIN_LOGS, admin::logs, "List the audit log")
            .by(Who::Operator)
            .query::<logs::LogsQuery>()
            .answers::<logs::LogList>(200),
        route!(GET paths::ADMIN_LOGS_VERIFY, admin::verify_logs, "Check the chain of the audit log")
            .by(Who::Operator)
            .query::<logs::VerifyLogsQuery>()
            .answers::<logs::LogsVerified>(200),
        route!(GET paths::ADMIN_ANALYTICS, admin::analytics, "Figures over time")
            .by(Who::Operator)
            .query::<analytics::AnalyticsQuery>()
            .answers::<analytics::Analytics>(200),
    ]
}

fn webhooks() -> Vec<Route> {
    vec![
        route!(GET paths::ADMIN_WEBHOOKS, admin::list_webhooks, "List webhooks")
            .by(Who::Operator)
            .query::<page::PageQuery>()
            .answers::<hooks::WebhookList>(200),
        route!(POST paths::ADMIN_WEBHOOKS, admin::create_webhook, "Add a webhook")
            .by(Who::Operator)
            .json::<hooks::WebhookRequest>()
            .answers::<hooks::Webhook>(201)
            .problems(&[409]),
        route!(PATCH paths::ADMIN_WEBHOOK, admin::update_webhook, "Change a webhook")
            .by(Who::Operator)
            .json::<hooks::WebhookUpdate>()
            .answers::<hooks::Webhook>(200),
        route!(DELETE paths::ADMIN_WEBHOOK, admin::remove_webhook, "Remove a webhook")
            .by(Who::Operator)
            .answers_as(204, "text/plain"),
        route!(POST paths::ADMIN_WEBHOOK_TEST, admin::test_webhook, "Send a webhook something to try it")
            .by(Who::Operator)
            .answers::<hooks::WebhookTest>(200),
        route!(POST paths::ADMIN_WEBHOOK_SECRET, admin::rotate_webhook, "Give a webhook another signing secret")
            .by(Who::Operator)
            .answers::<hooks::Webhook>(200),
        route!(GET paths::ADMIN_WEBHOOK_DELIVERIES, admin::deliveries, "List the deliveries of a webhook")
            .by(Who::Operator)
            .query::<page::PageQuery>()
            .answers::<hooks::DeliveryList>(200),
        route!(POST paths::ADMIN_WEBHOOK_RETRY, admin::retry_delivery, "Send a delivery once more")
            .by(Who::Operator)
            .answers_as(202, "text/plain"),
    ]
}
