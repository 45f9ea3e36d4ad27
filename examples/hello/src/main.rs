//! The smallest program with sessions: a page that counts visits, a door in, a door out, and a
//! file that remembers.
//!
//! ```text
//! $ cargo run -p example-hello
//! $ curl -c jar -b jar http://127.0.0.1:3000/
//! visit 1 of nobody
//! $ curl -c jar -b jar -H 'Origin: http://127.0.0.1:3000' -d name=ada http://127.0.0.1:3000/login
//! welcome, ada
//! $ curl -c jar -b jar http://127.0.0.1:3000/
//! visit 2 of ada
//! ```

use axum::routing::{get, post};
use axum::{Form, Router};
use handstamp::{
    KeyRing, Session, SessionConfig, SessionLayer, SessionManager, SessionRejection, SqliteStore,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = KeyRing::open_or_create("~/.config/handstamp-hello/session.keys")?;
    let store = SqliteStore::open("hello/sessions.db").await?;
    // Over plain HTTP on this machine; behind HTTPS it is `SessionConfig::default()`.
    let sessions = SessionManager::new(store, SessionConfig::development(), keys);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(sessions)).await?;
    Ok(())
}

fn app(sessions: SessionManager) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions))
}

async fn home(session: Session) -> Result<String, SessionRejection> {
    let visits = session.update("visits", |n: &mut Option<u64>| {
        *n.get_or_insert(0) += 1;
        n.unwrap_or(0)
    })?;
    let who = session.user_id().map_or_else(|| "nobody".to_owned(), |user| user.to_string());
    Ok(format!("visit {visits} of {who}\n"))
}

#[derive(serde::Deserialize)]
struct Login {
    name: String,
}

async fn login(session: Session, Form(form): Form<Login>) -> Result<String, SessionRejection> {
    // Here is the place to look at a password or a passkey. Handstamp takes your word for it.
    session.login(form.name.as_str()).await?;
    Ok(format!("welcome, {}\n", form.name))
}

async fn logout(session: Session) -> Result<&'static str, SessionRejection> {
    session.logout().await?;
    Ok("goodbye\n")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
    use handstamp::store::MemoryStore;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn send(app: &Router, jar: &mut String, request: Request<Body>) -> String {
        let mut request = request;
        if !jar.is_empty() {
            request.headers_mut().insert(COOKIE, jar.parse().unwrap());
        }
        let answer = app.clone().oneshot(request).await.unwrap();
        if let Some(line) = answer.headers().get(SET_COOKIE) {
            *jar = line.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn home() -> Request<Body> {
        Request::get("/").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn visits_are_counted_and_survive_the_door() {
        let keys = KeyRing::generate().unwrap();
        let config = SessionConfig::development();
        let app = app(SessionManager::new(MemoryStore::new(), config, keys));
        let mut jar = String::new();
        assert_eq!(send(&app, &mut jar, home()).await, "visit 1 of nobody\n");
        let enter = Request::post("/login").header("sec-fetch-site", "same-origin");
        let enter = enter.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let enter = enter.body(Body::from("name=ada")).unwrap();
        assert_eq!(send(&app, &mut jar, enter).await, "welcome, ada\n");
        assert_eq!(send(&app, &mut jar, home()).await, "visit 2 of ada\n");
    }
}
