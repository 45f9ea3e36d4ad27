//! What there is to buy.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use handstamp_axum::Session;

use super::{Answer, Frame, page};
use crate::demo::App;
use crate::demo::shop::{PRODUCTS, Product};

#[derive(Template)]
#[template(path = "catalogue.html")]
struct Page {
    frame: Frame,
    shelf: Vec<Offer>,
}

struct Offer {
    product: &'static Product,
    left: u32,
    number: usize,
}

/// All products.
pub(in crate::demo) async fn show(State(app): State<Arc<App>>, session: Session) -> Answer {
    let offer = |(at, product): (usize, &'static Product)| Offer {
        product,
        left: app.shop.left(product.slug),
        number: at + 1,
    };
    let shelf = PRODUCTS.iter().enumerate().map(offer).collect();
    page(&Page { frame: Frame::of(&session, "shop")?, shelf })
}
