//! The pages: what operators and holders see in a browser. Every form is a plain POST and does what
//! the API does, by the same functions.
//!
//! Pages are rendered whole on the server. One stylesheet and two small scripts come out of the
//! program itself; a policy for content forbids everything else.

mod asked;
mod assets;
mod frame;
mod link;
mod overview;
mod sessions;
mod sign_in;
mod stop;
mod story;
mod viewer;
mod views;
mod wording;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use handstamp_core::SessionError;
use handstamp_protocol::paths;

pub(crate) use link::Links;

use crate::service::Service;
use stop::Stop;

/// What a handler of a page answers.
type Answer = Result<axum::response::Response, Stop>;

/// Where the one-time link leads.
const SIGN_IN: &str = "/admin/ui/sign-in";

/// Routes of the pages, which are no part of the API and of its document.
pub(crate) fn router() -> Router<Arc<Service>> {
    Router::new()
        .merge(assets::router())
        .route(paths::ADMIN, get(overview::show))
        .route(SIGN_IN, get(sign_in::show).post(sign_in::sign_in))
        .route("/admin/ui/sign-out", post(sign_in::sign_out))
        .route("/admin/ui/sessions", get(sessions::show))
        .route("/admin/ui/sessions/{id}", get(story::show))
}

impl Service {
    /// A link that signs an operator in: good once, for ten minutes, in one browser.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the ledger is out of reach.
    ///
    /// # Security
    /// Whoever has the link is an operator. The code stands behind its `#`, which no browser sends.
    pub async fn dashboard_link(&self) -> Result<String, SessionError> {
        let code = self.links.make().await?;
        Ok(format!("{}{SIGN_IN}#{code}", self.public_url()))
    }
}
