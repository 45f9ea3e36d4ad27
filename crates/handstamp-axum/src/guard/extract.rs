//! Guards as arguments of a handler.

use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use handstamp_core::id::Subject;
use http::request::Parts;

use super::rule::Case;
use crate::rejection::SessionRejection;
use crate::session::Session;
use crate::slot::SessionSlot;

/// The session of a user who is signed in; otherwise the handler is not run.
///
/// A guest is no user. As `Option<RequireUser>` it lets everybody in and says who is one.
///
/// # Errors
/// As an extractor: 401 with the code of what is wrong with the session, or, for a browser that
/// navigates, 303 to the sign-in page; 503 when the store cannot be asked.
///
/// ```
/// async fn account(user: handstamp_axum::RequireUser) -> String {
///     format!("this is {}", user.id())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RequireUser {
    session: Session,
    id: Subject,
}

impl RequireUser {
    /// Who it is.
    pub const fn id(&self) -> &Subject {
        &self.id
    }

    /// The session.
    pub const fn session(&self) -> &Session {
        &self.session
    }
}

impl Deref for RequireUser {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequireUser {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let session = guarded(parts, |case| case.user()).await?;
        let id = session.user_id().ok_or(SessionRejection::Forbidden)?;
        Ok(Self { session, id })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for RequireUser {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        let user = <Self as FromRequestParts<S>>::from_request_parts(parts, state).await;
        match user {
            Ok(user) => Ok(Some(user)),
            Err(SessionRejection::SignIn { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// Names a role for [`RequireRole`].
pub trait RoleName: Send + Sync + 'static {
    /// The role.
    const NAME: &'static str;
}

/// The session of somebody who has the role `R`; otherwise the handler is not run.
///
/// # Errors
/// As an extractor: 403 `FORBIDDEN` for a user without the role; without a user as
/// [`RequireUser`].
///
/// ```
/// use handstamp_axum::{RequireRole, RoleName};
///
/// struct Editor;
///
/// impl RoleName for Editor {
///     const NAME: &'static str = "editor";
/// }
///
/// async fn edit(_editor: RequireRole<Editor>) {}
/// ```
pub struct RequireRole<R>(Session, PhantomData<fn() -> R>);

impl<R: RoleName> std::fmt::Debug for RequireRole<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RequireRole").field(&R::NAME).field(&self.0).finish()
    }
}

impl<R> Clone for RequireRole<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<R> Deref for RequireRole<R> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl<R: RoleName, S: Send + Sync> FromRequestParts<S> for RequireRole<R> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(guarded(parts, |case| case.role(R::NAME)).await?, PhantomData))
    }
}

/// The session of a user who signed in or stepped up within the last `SECONDS` seconds; otherwise
/// the handler is not run.
///
/// # Errors
/// As an extractor: 403 `STEP_UP_REQUIRED` with `max_age_seconds`, or, for a browser that
/// navigates, 303 to the step-up page; without a user as [`RequireUser`].
///
/// # Security
/// For changes of password, second factor or address, and for payments: OWASP ASVS 7.5.1.
///
/// ```
/// async fn change_password(_fresh: handstamp_axum::RequireFresh<300>) {}
/// ```
#[derive(Clone, Debug)]
pub struct RequireFresh<const SECONDS: u64>(Session);

impl<const SECONDS: u64> Deref for RequireFresh<SECONDS> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl<const SECONDS: u64, S: Send + Sync> FromRequestParts<S> for RequireFresh<SECONDS> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let max_age = Duration::from_secs(SECONDS);
        Ok(Self(guarded(parts, |case| case.fresh(max_age)).await?))
    }
}

/// The session of the request, if `rule` lets it pass.
async fn guarded(
    head: &Parts,
    rule: impl FnOnce(&Case<'_>) -> Result<(), SessionRejection>,
) -> Result<Session, SessionRejection> {
    let slot = head.extensions.get::<SessionSlot>().ok_or(SessionRejection::NoLayer)?;
    let session = slot.load().await?;
    rule(&Case { session: &session, slot, head })?;
    Ok(session.into())
}
