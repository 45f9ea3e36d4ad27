//! The cart: in the session's data, from the first visit on.

use askama::Template;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use handstamp_axum::{CsrfForm, Session};
use serde::Deserialize;

use super::{Answer, Frame, cart_of, go, page};
use crate::demo::cart::{Cart, Item, KEY, MOST};
use crate::demo::shop::{self, Cents};

#[derive(Template)]
#[template(path = "cart.html")]
struct Page {
    frame: Frame,
    items: Vec<Item>,
    total: Cents,
    most: u32,
}

/// What is in the cart.
pub(in crate::demo) async fn show(session: Session) -> Answer {
    let cart = cart_of(&session)?;
    let frame = Frame::of(&session, "cart")?;
    page(&Page { frame, items: cart.items(), total: cart.total(), most: MOST })
}

#[derive(Deserialize)]
pub(in crate::demo) struct Add {
    product: String,
}

/// One more of a product, then back to its place on the shelf.
pub(in crate::demo) async fn add(session: Session, CsrfForm(form): CsrfForm<Add>) -> Answer {
    let Some(product) = shop::find(&form.product) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    // A change as a function of what is there: two tabs that add at once both count.
    session.update(KEY, |cart: &mut Option<Cart>| {
        cart.get_or_insert_default().add(product.slug);
    })?;
    session.flash("success", &format!("{} is in your cart.", product.name))?;
    go(&format!("/#{}", product.slug))
}

#[derive(Deserialize)]
pub(in crate::demo) struct Set {
    product: String,
    count: u32,
}

/// So many of a product; none takes it out.
pub(in crate::demo) async fn set(session: Session, CsrfForm(form): CsrfForm<Set>) -> Answer {
    let Some(product) = shop::find(&form.product) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let count = form.count.min(MOST);
    session.update(KEY, move |cart: &mut Option<Cart>| {
        cart.get_or_insert_default().set(product.slug, count);
    })?;
    let said = match count {
        0 => format!("{} is out of your cart.", product.name),
        _ => format!("{count} × {} in your cart.", product.name),
    };
    session.flash("success", &said)?;
    go("/cart")
}
