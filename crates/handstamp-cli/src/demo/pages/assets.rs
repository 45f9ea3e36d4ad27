//! Stylesheet, script and icon, out of the program itself.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

/// Routes of the files that no session is needed for.
pub(in crate::demo) fn router() -> Router {
    Router::new()
        .route(
            "/assets/style.css",
            file("text/css; charset=utf-8", include_str!("../../../assets/style.css")),
        )
        .route(
            "/assets/live.js",
            file("text/javascript; charset=utf-8", include_str!("../../../assets/live.js")),
        )
        .route("/assets/icon.svg", file("image/svg+xml", include_str!("../../../assets/icon.svg")))
}

fn file(kind: &'static str, text: &'static str) -> axum::routing::MethodRouter {
    // Another version of the program may answer on the same port tomorrow.
    get(async move || ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response())
}
