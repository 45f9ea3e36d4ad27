//! Signing in, signing out, and why somebody is out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use handstamp_axum::{CsrfForm, ReturnTo, Session};
use handstamp_core::roles::Roles;
use handstamp_core::sign_in::{IntoSignIn, Merge};
use handstamp_core::{SessionError, SignIn};
use serde::Deserialize;

use super::{Answer, Frame, Pressed, Stop, account_of, go, page, page_again};
use crate::demo::accounts::{ACCOUNTS, Account, CLERK};
use crate::demo::door::Refusal;
use crate::demo::{App, cart, wording};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    frame: Frame,
    accounts: &'static [Account],
    clerk: &'static str,
    form: Form,
    /// Why somebody who was signed in no longer is.
    why: Option<&'static str>,
    refusal: Option<Refusal>,
}

/// What the sign-in form says.
#[derive(Deserialize, Default)]
pub(in crate::demo) struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    remember: Option<String>,
    #[serde(default)]
    return_to: ReturnTo,
}

/// The way back, in a query.
#[derive(Deserialize)]
pub(in crate::demo) struct Back {
    #[serde(default)]
    pub(super) return_to: ReturnTo,
}

/// The sign-in form; whoever is signed in already is sent on.
pub(in crate::demo) async fn show(session: Session, Query(back): Query<Back>) -> Answer {
    if account_of(&session).is_some() {
        return go(back.return_to.as_str());
    }
    let why = session.refusal().map(|_| wording::refused(&session));
    let form = Form { return_to: back.return_to, ..Form::default() };
    page(&form_page(&session, form, why, None)?)
}

fn form_page(
    session: &Session,
    form: Form,
    why: Option<&'static str>,
    refusal: Option<Refusal>,
) -> Result<Page, Stop> {
    let frame = Frame::of(session, "sign-in")?;
    Ok(Page { frame, accounts: &ACCOUNTS, clerk: CLERK, form, why, refusal })
}

/// Checks name and password; signs in.
pub(in crate::demo) async fn check(
    State(app): State<Arc<App>>,
    session: Session,
    headers: HeaderMap,
    CsrfForm(form): CsrfForm<Form>,
) -> Answer {
    let account = match app.door.check(&form.name, &form.password, &headers).await? {
        Ok(account) => account,
        Err(refusal) => {
            return page_again(refusal, &form_page(&session, form, None, Some(refusal))?);
        }
    };
    session.login(sign_in(account, &session, form.remember.is_some())?).await?;
    session.flash("success", &format!("Welcome, {}.", account.full_name))?;
    go(form.return_to.as_str())
}

/// What the session is to know of `account`. Of what the visitor left in the session, the cart
/// comes along and nothing else; of somebody who was signed in before, not even that.
fn sign_in(account: &Account, before: &Session, remember: bool) -> Result<SignIn, SessionError> {
    let merge =
        if before.is_authenticated() { Merge::Drop } else { Merge::Keep(vec![cart::KEY.into()]) };
    let roles = Roles::new(account.roles.iter().copied()).unwrap_or_default();
    Ok(account
        .name
        .into_sign_in()?
        .name(account.full_name)
        .email(account.email)
        .roles(roles)
        .amr(["pwd"])
        .remember(remember)
        .merge(merge))
}

/// Signs this device out.
pub(in crate::demo) async fn sign_out(
    session: Session,
    CsrfForm(Pressed {}): CsrfForm<Pressed>,
) -> Answer {
    session.logout().await?;
    go("/signed-out")
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOut {
    frame: Frame,
    why: &'static str,
}

/// Says why whoever was signed in no longer is.
pub(in crate::demo) async fn signed_out(session: Session) -> Answer {
    if account_of(&session).is_some() {
        return go("/");
    }
    let why = wording::refused(&session);
    page(&SignedOut { frame: Frame::of(&session, "signed-out")?, why })
}
