//! What every page shows around its own content, and the headers of pages.

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use handstamp_axum::{CsrfToken, Flashes};
use handstamp_core::Session;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};

use super::Answer;
use super::viewer::Viewer;
use super::views::When;
use crate::service::Service;

/// Everything comes from here, nothing stands inline, nobody frames it (ASVS 3.4.3, 3.4.6).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Around the page of somebody who is signed in.
pub(super) struct Frame {
    /// Which entry of the menu this page is.
    pub(super) here: &'static str,
    pub(super) csrf: CsrfToken,
    pub(super) flashes: Flashes,
    pub(super) who: String,
    pub(super) now: When,
    /// Whether the menu of operators is shown.
    pub(super) is_operator: bool,
    /// Where a page that is kept up to date hears of what happens.
    pub(super) stream: Option<&'static str>,
}

impl Frame {
    /// Around an operator's page.
    pub(super) fn of(viewer: &Viewer, service: &Service, here: &'static str) -> Self {
        let frame = Self::around(&viewer.session, service, here, viewer.is_renewal);
        Self { is_operator: true, ..frame }
    }

    /// Around a page of `session`. Takes the flash messages, unless an open page asks for what
    /// has changed on it: it would not show them.
    pub(super) fn around(
        session: &Session,
        service: &Service,
        here: &'static str,
        is_renewal: bool,
    ) -> Self {
        let who = session.user_id().map_or_else(String::new, |who| who.to_string());
        Self {
            here,
            csrf: CsrfToken::of(session),
            flashes: if is_renewal { Flashes::default() } else { Flashes::take(session) },
            who: session.name().map_or(who, |name| name.to_string()),
            now: When::of(service.sessions.now()),
            is_operator: false,
            stream: None,
        }
    }

    /// The same, for a page that follows what happens.
    pub(super) fn live(self, stream: &'static str) -> Self {
        Self { stream: Some(stream), ..self }
    }
}

/// A page.
pub(super) fn page(template: &impl Template) -> Answer {
    let headers = [(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-store")];
    Ok((headers, Html(template.render()?)).into_response())
}

/// On to another page, after what was posted is done.
pub(super) fn go(to: &str) -> Response {
    Redirect::to(to).into_response()
}
