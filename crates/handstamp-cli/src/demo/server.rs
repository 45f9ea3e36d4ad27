//! The demo's routes, what every answer carries, and how it stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use handstamp_axum::{SessionLayer, require};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::pages::{
    account, assets, cart, catalogue, checkout, devices, errors, sign_in, stock, terminal,
};
use super::{App, live};
use crate::failure::Failure;
use crate::signals;

/// Forms of the demo are small.
const LARGEST_FORM: usize = 16 * 1024;

/// How long connections may take to end after the program is asked to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// What browsers may do with our pages: show them, with our own style, pictures and script.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// The same for a page with a form whose answer leads to `origin`: browsers look at that too.
pub(super) fn policy(origin: &str) -> String {
    POLICY.replace("form-action 'self'", &format!("form-action 'self' {origin}"))
}

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Everything that can be asked for.
pub(super) fn router(app: Arc<App>) -> Router {
    let sessions =
        SessionLayer::new(app.sessions.clone()).sign_in_path("/sign-in").step_up_path("/confirm");
    open_pages()
        .merge(private_pages(app.fresh_seconds))
        .with_state(Arc::clone(&app))
        .layer(sessions)
        .merge(assets::router())
        .merge(terminal::router(app))
        .fallback(errors::not_found)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::from_fn(errors::as_pages))
        .layer(middleware::from_fn(only_here))
        .layer(middleware::map_response(add_headers))
}

fn open_pages() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(catalogue::show))
        .route("/cart", get(cart::show))
        .route("/cart/add", post(cart::add))
        .route("/cart/set", post(cart::set))
        .route("/sign-in", get(sign_in::show).post(sign_in::check))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/signed-out", get(sign_in::signed_out))
        .route("/live", get(live::watch))
}

fn private_pages(fresh_seconds: u64) -> Router<Arc<App>> {
    let at_the_till = Router::new()
        .route("/checkout", get(checkout::show).post(checkout::place))
        .route_layer(require::fresh(fresh_seconds));
    Router::new()
        .route("/account", get(account::show))
        .route("/confirm", get(checkout::ask).post(checkout::confirm))
        .route("/devices", get(devices::show))
        .route("/devices/end", post(devices::end_one))
        .route("/devices/end-others", post(devices::end_others))
        .route("/devices/name", post(devices::name))
        .route("/terminal", get(terminal::ask).post(terminal::answer))
        .route("/stock", get(stock::show).post(stock::restock))
        .merge(at_the_till)
}

/// Serves until `asked_to_stop`, then lets connections finish for a moment.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    asked_to_stop: impl Future<Output = ()> + Send + 'static,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let serving = axum::serve(listener, router).with_graceful_shutdown(asked_to_stop);
    let too_late = async move {
        let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        served = serving => served.map_err(|error| Failure::because("cannot serve", &error)),
        () = too_late => Ok(()),
    }
}

/// Listens for SIGINT and SIGTERM from now on; resolves at the first, after telling `stop`.
pub(super) fn asked_to_stop(
    stop: watch::Sender<bool>,
) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let signal = signals::asked_to_stop()?;
    Ok(async move {
        signal.await;
        stop.send_replace(true);
    })
}

/// Serves only who asked for this machine by name: a page of another site whose name was made to
/// point here (DNS rebinding) does not get in.
async fn only_here(request: Request, next: Next) -> Response {
    if is_for_here(request.headers()) {
        return next.run(request).await;
    }
    let line = "This demo answers at 127.0.0.1 and localhost only.\n";
    (StatusCode::MISDIRECTED_REQUEST, line).into_response()
}

fn is_for_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    host.is_some_and(|host| matches!(host.host(), "127.0.0.1" | "localhost"))
}

async fn add_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_for_this_machine_is_not_let_in() {
        let at = |host: &'static str| {
            is_for_here(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]))
        };
        for good in ["127.0.0.1:8080", "localhost:1", "localhost"] {
            assert!(at(good), "{good}");
        }
        for bad in ["evil.example", "127.0.0.1.evil.example:8080", "", "localhost:8080@evil"] {
            assert!(!at(bad), "{bad}");
        }
        assert!(!is_for_here(&HeaderMap::new()));
    }
}
