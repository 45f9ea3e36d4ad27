//! The first program: count visits, sign in.

use axum::{
    Router,
    routing::{get, post},
};
use handstamp::{
    KeyRing, Session, SessionConfig, SessionLayer, SessionManager, SessionRejection, SqliteStore,
};

async fn home(session: Session) -> Result<String, SessionRejection> {
    let visits = session.update("visits", |n: &mut Option<u64>| {
        *n.get_or_insert(0) += 1;
        n.unwrap_or(0)
    })?;
    Ok(format!("visit {visits}"))
}

async fn login(session: Session) -> Result<&'static str, SessionRejection> {
    // Here your program has proved who this is.
    session.login("ada").await?;
    Ok("welcome")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = KeyRing::open_or_create("~/.config/my-app/session.keys")?;
    let store = SqliteStore::open("sessions.db").await?;
    // For plain http on your own machine; SessionConfig::default() is for https.
    let sessions = SessionManager::new(store, SessionConfig::development(), keys);
    let app = Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .layer(SessionLayer::new(sessions));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}
