//! Stylesheet, scripts and icon, out of the program itself.

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::service::Service;

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! embedded {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path))
    };
}

/// Routes of files that nobody needs to be signed in for.
pub(super) fn router() -> Router<Arc<Service>> {
    Router::new()
        .route("/ui/style.css", file(CSS, embedded!("style.css")))
        .route("/ui/ui.js", file(JS, embedded!("ui.js")))
        .route("/ui/charts.js", file(JS, embedded!("charts.js")))
        .route("/ui/icon.svg", file(SVG, embedded!("icon.svg")))
        .route("/ui/uplot.js", file(JS, embedded!("vendor/uplot/uPlot.iife.min.js")))
        .route("/ui/uplot.css", file(CSS, embedded!("vendor/uplot/uPlot.min.css")))
        .route("/ui/uplot-license.txt", file("text/plain", embedded!("vendor/uplot/LICENSE")))
}

fn file(kind: &'static str, text: &'static str) -> MethodRouter<Arc<Service>> {
    // Another version of the program may answer under the same address tomorrow.
    get(async move || ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response())
}
