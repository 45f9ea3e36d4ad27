//! Sessions for web applications, from sign-in to sign-out: nothing lost, nothing resurrected,
//! every end with a reason.
//!
//! This crate is the door: it has no code of its own and re-exports, by feature, what an
//! application needs under one version.
//!
//! | feature | brings |
//! |---|---|
//! | (none) | the engine: [`SessionManager`], [`SessionConfig`], [`KeyRing`], the memory store |
//! | `axum` | the layer, extractors and guards for axum and any tower service |
//! | `client` | the other end, in [`client`]: whoever holds a session |
//! | `client-websocket` | and WebSockets that carry it |
//! | `sqlite` | the embedded store |
//! | `postgres` | the store of several nodes |
//! | `testing` | a clock set by hand, seeded randomness, a store that holds and fails calls |

// Named one by one, because the extractor takes the place of the engine's own `Session`.
#[cfg(feature = "axum")]
#[doc(inline)]
pub use handstamp_axum::{
    CSRF_FIELD, CSRF_HEADER, CsrfForm, CsrfToken, FlashMessage, Flashes, FormError, RequireFresh,
    RequireRole, RequireUser, ResponseFuture, ReturnTo, RoleName, Session, SessionLayer,
    SessionRejection, SessionService, SessionSlot, cookies, require, site,
};
/// For whoever holds a session. A module of its own, because both ends have a `SessionManager`.
#[cfg(feature = "client")]
#[doc(inline)]
pub use handstamp_client as client;
#[doc(inline)]
pub use handstamp_core::*;
#[cfg(feature = "postgres")]
pub use handstamp_postgres::{Builder as PostgresBuilder, PostgresError, PostgresStore};
#[cfg(feature = "sqlite")]
pub use handstamp_sqlite::{SqliteError, SqliteStore, Synchronous};

/// The documents whose programs are compiled, and run where they do not serve for ever.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "client",
    feature = "postgres",
    feature = "sqlite",
    feature = "testing"
))]
mod documents {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../docs/guides/axum.md")]
    mod guide {}
    #[doc = include_str!("../../../docs/guides/postgres.md")]
    mod postgres {}
}
