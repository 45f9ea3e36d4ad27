//! The demo's pages: one file each, handlers beside what their template shows.

pub(super) mod account;
pub(super) mod assets;
pub(super) mod cart;
pub(super) mod catalogue;
pub(super) mod checkout;
pub(super) mod devices;
pub(super) mod errors;
pub(super) mod sign_in;
pub(super) mod stock;
pub(super) mod terminal;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use handstamp_axum::{CsrfToken, Flashes, Session, SessionRejection};
use handstamp_core::SessionError;
use handstamp_core::data::DataError;
use serde::Deserialize;

use super::accounts::{Account, CLERK, named};
use super::cart::{Cart, KEY};
use super::door::Refusal;

/// What a handler answers.
pub(super) type Answer = Result<Response, Stop>;

/// Why a handler could not go on.
pub(super) enum Stop {
    Session(SessionRejection),
    Template(askama::Error),
}

impl From<SessionRejection> for Stop {
    fn from(error: SessionRejection) -> Self {
        Self::Session(error)
    }
}

impl From<SessionError> for Stop {
    fn from(error: SessionError) -> Self {
        Self::Session(error.into())
    }
}

impl From<DataError> for Stop {
    fn from(error: DataError) -> Self {
        Self::Session(error.into())
    }
}

impl From<askama::Error> for Stop {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Session(rejection) => rejection.into_response(),
            Self::Template(error) => {
                tracing::error!("a page cannot be rendered: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// What every page shows around its own content.
pub(super) struct Frame {
    /// Which entry of the menu this page is.
    here: &'static str,
    csrf: CsrfToken,
    flashes: Flashes,
    in_cart: u32,
    account: Option<&'static Account>,
    is_clerk: bool,
}

impl Frame {
    /// The frame of a page for `session`. Takes the flash messages: they are shown now.
    fn of(session: &Session, here: &'static str) -> Result<Self, Stop> {
        Ok(Self {
            here,
            csrf: session.csrf_field(),
            flashes: Flashes::take(session),
            in_cart: cart_of(session)?.count(),
            account: account_of(session),
            is_clerk: session.has_role(CLERK),
        })
    }
}

/// The account behind `session`, if somebody is signed in whom the demo knows.
fn account_of(session: &Session) -> Option<&'static Account> {
    session
        .user_id()
        .filter(|_| session.is_authenticated())
        .and_then(|subject| named(subject.as_str()))
}

/// The cart in `session`, empty until something is put in.
fn cart_of(session: &Session) -> Result<Cart, DataError> {
    Ok(session.get(KEY)?.unwrap_or_default())
}

/// A page.
fn page(template: &impl Template) -> Answer {
    Ok(Html(template.render()?).into_response())
}

/// A page that tells why a password did not open anything.
fn page_again(refusal: Refusal, template: &impl Template) -> Answer {
    let (status, headers) = refusal.head();
    Ok((status, headers, page(template)?).into_response())
}

/// On to another page, after what was posted is done.
fn go(to: &str) -> Answer {
    Ok(Redirect::to(to).into_response())
}

/// A form that says nothing but that its button was pressed.
#[derive(Deserialize)]
pub(super) struct Pressed {}
