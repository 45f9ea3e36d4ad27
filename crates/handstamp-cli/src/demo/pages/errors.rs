//! What went wrong, as a page for people.

use askama::Template;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Problems are short.
const LONGEST_PROBLEM: usize = 16 * 1024;

#[derive(Template)]
#[template(path = "error.html")]
struct Page {
    title: &'static str,
    said: &'static str,
    link: (&'static str, &'static str),
    status: u16,
}

/// No such page.
pub(in crate::demo) async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// Gives every error a page if the client shows pages; programs get what the handler said.
pub(in crate::demo) async fn as_pages(request: Request, next: Next) -> Response {
    let wants_page = accepts_html(request.headers());
    let response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if wants_page && is_error && !is_html(response.headers()) {
        dress(response).await
    } else {
        response
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn is_html(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// The same answer, status and headers, with a page as its body.
async fn dress(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, LONGEST_PROBLEM).await.unwrap_or_default();
    let code = serde_json::from_slice::<serde_json::Value>(&body).ok();
    let code = code.as_ref().and_then(|problem| problem.get("code")?.as_str()).unwrap_or_default();
    let Ok(text) = page(head.status, code).render() else { return head.status.into_response() };
    head.headers.remove(axum::http::header::CONTENT_LENGTH);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(head, text.into())
}

fn page(status: StatusCode, code: &str) -> Page {
    let (title, said, link) = words(status, code);
    Page { title, said, link, status: status.as_u16() }
}

type Words = (&'static str, &'static str, (&'static str, &'static str));

fn words(status: StatusCode, code: &str) -> Words {
    const HOME: (&str, &str) = ("/", "Back to the shop");
    match (status.as_u16(), code) {
        (_, "CSRF_INVALID") => (
            "That form was not ours",
            "It did not come from a page of this shop that you opened in this browser, so nothing \
             was done. If you did press a button here, load its page again. If that does not help, \
             your browser may not keep the shop's cookie: start the demo with --plain-cookie.",
            HOME,
        ),
        (_, "STEP_UP_REQUIRED") => (
            "Is it still you?",
            "You signed in a while ago. Type your password once more to go on.",
            ("/confirm?return_to=/checkout", "Confirm that it is you"),
        ),
        (401, _) => (
            "You are no longer signed in",
            "So nothing was done. Sign in and try again.",
            ("/sign-in", "Sign in"),
        ),
        (403, _) => ("Staff only", "This door opens for those who work here.", HOME),
        (404 | 405, _) => ("There is no such stall", "Perhaps it was here last year.", HOME),
        (409, _) => (
            "Too many devices",
            "This account is signed in on as many devices as it may be.",
            ("/sign-in", "Back to the sign-in"),
        ),
        (400..500, _) => ("That did not fit", "What was sent could not be understood.", HOME),
        (503, _) => (
            "The book of guests is out of reach",
            "Sessions are not available just now. Nothing was lost; try again in a moment.",
            HOME,
        ),
        _ => ("Something went wrong here", "The log tells more.", HOME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_without_its_token_is_told_apart_from_a_closed_door() {
        let title = |code| page(StatusCode::FORBIDDEN, code).title;
        assert_ne!(title("CSRF_INVALID"), title("FORBIDDEN"));
        assert_ne!(title("STEP_UP_REQUIRED"), title("FORBIDDEN"));
    }
}
