//! The page as a browser sees it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

struct Browser {
    app: Router,
    jar: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        let config = SessionConfig::development();
        let keys = KeyRing::generate().unwrap();
        let app = app(SessionManager::new(MemoryStore::new(), config, keys));
        Self { app, jar: BTreeMap::new() }
    }

    async fn page(&mut self) -> String {
        self.send(Request::get("/").body(Body::empty()).unwrap()).await.1
    }

    async fn post(&mut self, form: String) -> StatusCode {
        let request = Request::post("/notes").header("sec-fetch-site", "same-origin");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form)).unwrap()).await.0
    }

    async fn send(&mut self, mut request: Request<Body>) -> (StatusCode, String) {
        let pairs: Vec<_> =
            self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.headers_mut().insert(COOKIE, pairs.join("; ").parse().unwrap());
        let answer = self.app.clone().oneshot(request).await.unwrap();
        for line in answer.headers().get_all(SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.jar.insert(name.to_owned(), value.to_owned());
        }
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

fn token(page: &str) -> &str {
    let field = r#"<input type="hidden" name="_csrf" value=""#;
    page.split_once(field).unwrap().1.split('"').next().unwrap()
}

#[tokio::test]
async fn n12_the_template_shows_the_csrf_field_and_the_flash_once() {
    let mut browser = Browser::new();
    let first = browser.page().await;
    let form = format!("text=%3Cb%3Ehi&_csrf={}", token(&first));
    assert_eq!(browser.post(form).await, StatusCode::SEE_OTHER);
    let second = browser.page().await;
    assert!(
        second.contains(r#"<p role="status" class="success">Kept: &#60;b&#62;hi</p>"#),
        "{second}"
    );
    assert!(second.contains("<li>&#60;b&#62;hi</li>"));
    assert!(!browser.page().await.contains("role=\"status\""));
}

#[tokio::test]
async fn n07_a_form_from_elsewhere_keeps_nothing() {
    let mut browser = Browser::new();
    browser.page().await;
    assert_eq!(browser.post("text=x".to_owned()).await, StatusCode::FORBIDDEN);
    assert!(!browser.page().await.contains("<li>"));
}
