//! Who looks at a page, and who posts a form.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use handstamp_axum::CsrfForm;
use handstamp_core::Session;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::stop::Stop;
use crate::caller::{Holder, Operator};
use crate::service::Service;

/// Stands on requests of an open page that asks for what has changed on it.
const RENEWAL: &str = "handstamp-live";

/// An operator in a browser.
pub(super) struct Viewer {
    pub(super) operator: Operator,
    pub(super) session: Session,
    /// Whether an open page asks by itself: that is no activity.
    pub(super) is_renewal: bool,
}

impl FromRequestParts<Arc<Service>> for Viewer {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Stop> {
        let holder = Holder::in_browser(parts).await?;
        let session = holder.session.clone();
        let operator = Operator::by_holder(holder, service)?;
        Ok(Self { operator, is_renewal: note(&session, parts), session })
    }
}

/// Somebody in a browser who is signed in, as whomever.
pub(super) struct Owner {
    pub(super) holder: Holder,
    pub(super) is_renewal: bool,
}

impl FromRequestParts<Arc<Service>> for Owner {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Self, Stop> {
        let holder = Holder::in_browser(parts).await.map_err(Stop::Holder)?;
        Ok(Self { is_renewal: note(&holder.session, parts), holder })
    }
}

/// Whether an open page asks by itself; then nobody is active.
fn note(session: &Session, parts: &Parts) -> bool {
    let is_renewal = parts.headers.contains_key(RENEWAL);
    if is_renewal {
        session.not_activity();
    }
    is_renewal
}

/// A form that came with the session's token against cross-site requests.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Form<T> {
    type Rejection = Stop;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Stop> {
        let CsrfForm(form) = CsrfForm::from_request(request, service).await?;
        Ok(Self(form))
    }
}
