//! A page that redraws when the session changes: the watch of the client as a stream, which is what
//! front ends in Rust take. Here it goes to a browser as server-sent events.
//!
//! ```text
//! $ handstamp serve --set guests.enabled=true
//! $ cargo run -p example-front
//! $ curl -N http://127.0.0.1:7072/state
//! data: signed out
//! ```

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Router, serve};
use futures_util::{Stream, stream};
use handstamp::client::{AuthState, HandstampBackend, SessionManager};

const SERVICE: &str = "http://127.0.0.1:7070";
const PAGE: &str = "<!doctype html><title>Front</title><p id=state>…</p>\
    <form method=post action=sign-in><button>Sign in</button></form>\
    <form method=post action=sign-out><button>Sign out</button></form>\
    <script>new EventSource('state').onmessage = it => state.textContent = it.data</script>";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = SessionManager::builder().backend(HandstampBackend::new(SERVICE)?).build();
    let _monitoring = manager.initialize_session_monitoring().await?;
    let app = Router::new()
        .route("/", get(Html(PAGE)))
        .route("/state", get(shown))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .with_state(Arc::new(manager));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:7072").await?;
    Ok(serve(listener, app).await?)
}

/// Every state of the session from now on, the present one first.
fn states(manager: &SessionManager) -> impl Stream<Item = AuthState> + use<> {
    let mut watch = manager.watch();
    watch.mark_changed();
    stream::unfold(watch, |mut watch| async move {
        watch.changed().await.ok()?;
        let state = watch.borrow_and_update().clone();
        Some((state, watch))
    })
}

async fn shown(
    State(manager): State<Arc<SessionManager>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    use futures_util::StreamExt;

    Sse::new(states(&manager).map(|state| Ok(Event::default().data(name(&state)))))
}

const fn name(state: &AuthState) -> &'static str {
    match state {
        AuthState::Restoring | AuthState::Refreshing(_) => "one moment",
        AuthState::Guest(_) => "a guest",
        AuthState::Active(_) => "signed in",
        AuthState::Offline(_) => "without a network",
        AuthState::Locked => "the session cannot be read",
        _ => "signed out",
    }
}

/// A guest needs no password. Whether it came about the page hears by the state.
async fn sign_in(State(manager): State<Arc<SessionManager>>) -> Redirect {
    let _ = manager.login_as_guest().await;
    Redirect::to("/")
}

async fn sign_out(State(manager): State<Arc<SessionManager>>) -> Redirect {
    let _ = manager.logout().await;
    Redirect::to("/")
}
