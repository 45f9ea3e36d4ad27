//! Names of headers, in lower case as HTTP/2 writes them.

/// Says how a refresh was served: see [`Served`](crate::refresh::Served).
pub const REFRESH: &str = "handstamp-refresh";
/// The feed's cursor from which on an end is known.
pub const CURSOR: &str = "handstamp-cursor";
/// "Judge me by at least this state": a cursor that the caller got by [`CURSOR`].
pub const MIN: &str = "handstamp-min";
/// The same key and body within 24 hours begin the same session.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Names a request in answers and logs.
pub const REQUEST_ID: &str = "x-request-id";
/// The token against cross-site requests.
pub const CSRF_TOKEN: &str = "x-csrf-token";

/// Forward-auth: the session's id.
pub const SESSION: &str = "x-handstamp-session";
/// Forward-auth: whose session it is, percent-encoded.
pub const SUBJECT: &str = "x-handstamp-subject";
/// Forward-auth: anonymous, guest or user.
pub const KIND: &str = "x-handstamp-kind";
/// Forward-auth: roles, each percent-encoded, separated by commas.
pub const ROLES: &str = "x-handstamp-roles";
/// Forward-auth: all of it as a JWT that is good for 60 seconds, its audience the host.
pub const ASSERTION: &str = "x-handstamp-assertion";

/// What answers a problem with this type.
pub const PROBLEM_JSON: &str = "application/problem+json";
