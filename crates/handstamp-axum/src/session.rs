//! The session as an argument of a handler.

use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::csrf::CsrfToken;
use crate::rejection::SessionRejection;
use crate::slot::SessionSlot;

/// The session of the request: everything that [`handstamp_core::Session`] can do.
///
/// Taking it judges the presented cookie. Who has none, or one that is no longer good, gets an
/// anonymous session, of which nothing is kept until something is stored in it. Changes of data
/// are committed before the head of the answer leaves; on an answer of 5xx they are dropped.
/// Behind that, in streamed bodies and spawned tasks, they persist only by `commit().await`.
///
/// # Errors
/// As an extractor: 503 when the store cannot be asked, 500 without a layer around the route.
///
/// ```
/// use handstamp_axum::{Session, SessionRejection};
///
/// async fn visits(session: Session) -> Result<String, SessionRejection> {
///     let visits = session.update("visits", |n: &mut Option<u64>| {
///         *n.get_or_insert(0) += 1;
///         n.unwrap_or(0)
///     })?;
///     Ok(format!("visit {visits}"))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Session(handstamp_core::Session);

impl Session {
    /// The session of the engine.
    pub fn into_inner(self) -> handstamp_core::Session {
        self.0
    }

    /// A CSRF token that shows itself as the hidden field of a form.
    pub fn csrf_field(&self) -> CsrfToken {
        CsrfToken::of(&self.0)
    }
}

impl Deref for Session {
    type Target = handstamp_core::Session;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl From<handstamp_core::Session> for Session {
    fn from(session: handstamp_core::Session) -> Self {
        Self(session)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let slot = parts.extensions.get::<SessionSlot>().ok_or(SessionRejection::NoLayer)?;
        Ok(Self(slot.load().await?))
    }
}
