//! In by the one-time link, and out again.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;
use handstamp_axum::CsrfToken;
use handstamp_core::roles::Roles;
use handstamp_core::sign_in::SignIn;
use http::StatusCode;
use serde::Deserialize;

use super::frame::{go, page};
use super::viewer::{Form, Owner};
use super::{Answer, SIGN_IN, Stop};
use crate::service::Service;

/// Whom operators sign in as who come by the link; no application can sign anybody in as this.
const SUBJECT: &str = "handstamp:operator";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    csrf: CsrfToken,
    is_refused: bool,
}

/// The page that the link leads to: it asks before it uses the code up, so that a preview of the
/// link does not.
pub(super) async fn show(csrf: CsrfToken) -> Answer {
    page(&Page { csrf, is_refused: false })
}

#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

/// Signs the operator in.
///
/// # Security
/// The code stands behind the `#` of the link and then in a form: no address that is sent, logged
/// or kept in a history ever holds it.
pub(super) async fn sign_in(
    State(service): State<Arc<Service>>,
    session: handstamp_axum::Session,
    Form(form): Form<Code>,
) -> Answer {
    if !service.links.take(form.code.trim()).await? {
        let again = page(&Page { csrf: session.csrf_field(), is_refused: true })?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response());
    }
    let roles = Roles::new([service.settings.admin.role.as_str()])
        .map_err(|error| handstamp_core::SessionError::Refused(error.to_string()))?;
    let sign_in = SignIn::new(SUBJECT)
        .map_err(|error| handstamp_core::SessionError::Refused(error.to_string()))?;
    session.login(sign_in.roles(roles).name("Operator").amr(["otp"])).await?;
    Ok(go("/admin"))
}

#[derive(Deserialize)]
pub(super) struct Pressed {}

/// Signs out.
pub(super) async fn sign_out(owner: Owner, Form(Pressed {}): Form<Pressed>) -> Answer {
    owner.holder.session.logout().await.map_err(Stop::from)?;
    Ok(go(SIGN_IN))
}
