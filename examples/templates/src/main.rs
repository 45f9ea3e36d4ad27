//! Forms and messages with a template engine: the hidden CSRF field is one line of the template,
//! and a message that was flashed before a redirect is shown once after it.
//!
//! `cargo run -p example-templates`, then open <http://127.0.0.1:3000/>.

use askama::Template;
use axum::Router;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use handstamp::store::MemoryStore;
use handstamp::{
    CsrfForm, CsrfToken, Flashes, KeyRing, Session, SessionConfig, SessionLayer, SessionManager,
    SessionRejection,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = SessionConfig::development();
    let sessions = SessionManager::new(MemoryStore::new(), config, KeyRing::generate()?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(sessions)).await?;
    Ok(())
}

fn app(sessions: SessionManager) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/notes", post(keep))
        .layer(SessionLayer::new(sessions))
}

/// What the template sees. askama escapes everything but what is marked safe.
#[derive(Template)]
#[template(path = "notes.html")]
struct Notes {
    notes: Vec<String>,
    flashes: Flashes,
    csrf: CsrfToken,
}

async fn page(session: Session, flashes: Flashes) -> Result<Response, SessionRejection> {
    let notes = session.get("notes")?.unwrap_or_default();
    let page = Notes { notes, flashes, csrf: session.csrf_field() };
    Ok(match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}

#[derive(serde::Deserialize)]
struct Note {
    text: String,
}

async fn keep(
    session: Session,
    CsrfForm(note): CsrfForm<Note>,
) -> Result<Redirect, SessionRejection> {
    session.flash("success", &format!("Kept: {}", note.text))?;
    session.update("notes", move |notes: &mut Option<Vec<String>>| {
        notes.get_or_insert_default().push(note.text.clone());
    })?;
    Ok(Redirect::to("/"))
}

#[cfg(test)]
mod tests;
