//! The stock room: for clerks.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use handstamp_axum::{CsrfForm, RequireRole, RoleName};
use serde::Deserialize;

use super::{Answer, Frame, go, page};
use crate::demo::App;
use crate::demo::accounts::CLERK;
use crate::demo::shop::{self, Order, PRODUCTS, Product};

/// The role that opens the stock room.
pub(in crate::demo) struct Clerk;

impl RoleName for Clerk {
    const NAME: &'static str = CLERK;
}

#[derive(Template)]
#[template(path = "stock.html")]
struct Page {
    frame: Frame,
    shelf: Vec<(&'static Product, u32)>,
    orders: Vec<Order>,
}

/// Shelves and orders.
pub(in crate::demo) async fn show(
    State(app): State<Arc<App>>,
    clerk: RequireRole<Clerk>,
) -> Answer {
    let shelf = PRODUCTS.iter().map(|product| (product, app.shop.left(product.slug))).collect();
    page(&Page { frame: Frame::of(&clerk, "stock")?, shelf, orders: app.shop.orders() })
}

#[derive(Deserialize)]
pub(in crate::demo) struct Delivery {
    product: String,
}

/// Six more of a product.
pub(in crate::demo) async fn restock(
    State(app): State<Arc<App>>,
    clerk: RequireRole<Clerk>,
    CsrfForm(delivery): CsrfForm<Delivery>,
) -> Answer {
    let Some(product) = shop::find(&delivery.product) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    app.shop.restock(product.slug, 6);
    clerk.flash("success", &format!("Six more of {} are on the shelf.", product.name))?;
    go("/stock")
}
