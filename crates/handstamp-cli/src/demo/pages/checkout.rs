//! Paying: only for somebody who has just shown that it is them.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use handstamp_axum::{CsrfForm, RequireUser, ReturnTo};
use serde::Deserialize;

use super::sign_in::Back;
use super::{Answer, Frame, cart_of, go, page, page_again};
use crate::demo::App;
use crate::demo::cart::{Item, KEY};
use crate::demo::door::Refusal;
use crate::demo::shop::{Cents, Placed};
use crate::demo::wording::span;

#[derive(Template)]
#[template(path = "checkout.html")]
struct Page {
    frame: Frame,
    items: Vec<Item>,
    total: Cents,
    number: u32,
}

/// The order, before it is placed.
pub(in crate::demo) async fn show(State(app): State<Arc<App>>, user: RequireUser) -> Answer {
    let cart = cart_of(user.session())?;
    if cart.count() == 0 {
        user.flash("error", "There is nothing in your cart to pay for.")?;
        return go("/cart");
    }
    let frame = Frame::of(user.session(), "cart")?;
    let number = app.shop.next_number();
    page(&Page { frame, items: cart.items(), total: cart.total(), number })
}

#[derive(Deserialize)]
pub(in crate::demo) struct Order {
    number: u32,
}

/// Places the order and empties the cart. Sent twice, it is one order.
pub(in crate::demo) async fn place(
    State(app): State<Arc<App>>,
    user: RequireUser,
    CsrfForm(order): CsrfForm<Order>,
) -> Answer {
    let cart = cart_of(user.session())?;
    match app.shop.place(order.number, user.id().as_str(), &cart) {
        Placed::Done => {}
        Placed::SoldOut(name) => {
            user.flash("error", &format!("There is not enough left of {name}."))?;
            return go("/cart");
        }
        Placed::Empty => {
            user.flash("error", "There is nothing in your cart to pay for.")?;
            return go("/cart");
        }
    }
    user.remove(KEY);
    user.flash(
        "success",
        &format!("Order {} is placed. Nothing was charged: this is a demo.", order.number),
    )?;
    go("/account")
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    frame: Frame,
    return_to: ReturnTo,
    within: String,
    refusal: Option<Refusal>,
}

/// Asks for the password once more.
pub(in crate::demo) async fn ask(
    State(app): State<Arc<App>>,
    user: RequireUser,
    Query(back): Query<Back>,
) -> Answer {
    page(&confirm_page(&app, &user, back.return_to, None)?)
}

fn confirm_page(
    app: &App,
    user: &RequireUser,
    return_to: ReturnTo,
    refusal: Option<Refusal>,
) -> Result<Confirm, super::Stop> {
    let within = span(std::time::Duration::from_secs(app.fresh_seconds));
    Ok(Confirm { frame: Frame::of(user.session(), "cart")?, return_to, within, refusal })
}

#[derive(Deserialize)]
pub(in crate::demo) struct Password {
    #[serde(default)]
    password: String,
    #[serde(default)]
    return_to: ReturnTo,
}

/// Checks the password of whoever is signed in; the session is fresh again.
pub(in crate::demo) async fn confirm(
    State(app): State<Arc<App>>,
    user: RequireUser,
    headers: HeaderMap,
    CsrfForm(form): CsrfForm<Password>,
) -> Answer {
    let checked = app.door.check(user.id().as_str(), &form.password, &headers).await?;
    if let Err(refusal) = checked {
        return page_again(refusal, &confirm_page(&app, &user, form.return_to, Some(refusal))?);
    }
    user.step_up(&["pwd"]).await?;
    user.flash("success", "Thank you, it is you.")?;
    go(form.return_to.as_str())
}
