//! The pages: what operators and holders see in a browser. Every form is a plain POST and does what
//! the API does, by the same functions.
//!
//! Pages are rendered whole on the server. One stylesheet and two small scripts come out of the
//! program itself; a policy for content forbids everything else.

mod account;
mod asked;
mod assets;
mod bulk;
mod chain;
mod docs;
mod figures;
mod frame;
mod link;
mod logs;
mod overview;
mod policy;
mod sessions;
mod sign_in;
mod stop;
mod story;
mod subjects;
mod viewer;
mod views;
mod webhooks;
mod wording;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use handstamp_core::SessionError;
use handstamp_protocol::paths;

pub(crate) use chain::Found;
pub(crate) use link::Links;

use crate::service::Service;
use stop::Stop;

/// What a handler of a page answers.
type Answer = Result<axum::response::Response, Stop>;

/// Where the one-time link leads.
const SIGN_IN: &str = "/admin/ui/sign-in";

/// Routes of the pages, which are no part of the API and of its document.
pub(crate) fn router() -> Router<Arc<Service>> {
    assets::router().merge(of_operators()).merge(of_holders()).route(paths::DOCS, get(docs::show))
}

fn of_operators() -> Router<Arc<Service>> {
    Router::new()
        .route(paths::ADMIN, get(overview::show))
        .route(SIGN_IN, get(sign_in::show).post(sign_in::sign_in))
        .route("/admin/ui/sign-out", post(sign_in::sign_out))
        .route("/admin/ui/sessions", get(sessions::show))
        .route("/admin/ui/sessions/end", get(bulk::preview).post(bulk::end))
        .route("/admin/ui/undo/{id}", get(bulk::undo_page).post(bulk::undo))
        .route("/admin/ui/sessions/{id}", get(story::show))
        .route("/admin/ui/sessions/{id}/end", post(story::end))
        .route("/admin/ui/sessions/{id}/suspend", post(story::suspend))
        .route("/admin/ui/sessions/{id}/resume", post(story::resume))
        .route("/admin/ui/subjects/{subject}", get(subjects::show))
        .route("/admin/ui/subjects/{subject}/end", post(subjects::end))
        .route("/admin/ui/subjects/{subject}/roles", post(subjects::roles))
        .route("/admin/ui/subjects/{subject}/disable", post(subjects::disable))
        .route("/admin/ui/subjects/{subject}/enable", post(subjects::enable))
        .route("/admin/ui/subjects/{subject}/erase", post(subjects::erase))
        .route("/admin/ui/logs", get(logs::show))
        .route("/admin/ui/logs/verify", post(logs::verify))
        .route("/admin/ui/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/admin/ui/webhooks/{id}", get(webhooks::show).post(webhooks::switch))
        .route("/admin/ui/webhooks/{id}/test", post(webhooks::test))
        .route("/admin/ui/webhooks/{id}/remove", post(webhooks::remove))
        .route("/admin/ui/webhooks/{id}/retry", post(webhooks::retry))
        .route("/admin/ui/policy", get(policy::show))
}

fn of_holders() -> Router<Arc<Service>> {
    Router::new()
        .route(paths::ACCOUNT_SESSIONS, get(account::show))
        .route("/account/sessions/end-others", post(account::end_others))
        .route("/account/sessions/sign-out", post(account::sign_out))
        .route("/account/sessions/{id}/end", post(account::end))
        .route("/account/sessions/{id}/name", post(account::name))
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
