//! Signing a terminal in: the page that asks, the answer that the browser takes to the terminal,
//! and the exchange (RFC 8252, RFC 7636).

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Json, Router};
use handstamp_axum::{CsrfForm, RequireUser};
use handstamp_core::id::SessionId;
use handstamp_core::record::EndReason;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::{Host, Url};

use super::{Answer, Frame, page};
use crate::demo::App;
use crate::demo::accounts::named;
use crate::demo::terminals::{Consent, Refused};
use crate::proof;

/// The longest name of a machine, in characters.
const LONGEST_DEVICE: usize = 64;

/// What a terminal asks for.
#[derive(Serialize, Deserialize)]
pub(in crate::demo) struct Asked {
    response_type: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
    device: String,
}

/// The same, and what somebody pressed.
#[derive(Deserialize)]
pub(in crate::demo) struct Pressed {
    response_type: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
    device: String,
    #[serde(default)]
    allow: Option<String>,
}

#[derive(Template)]
#[template(path = "terminal.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    word: String,
}

/// Asks whether the terminal may be signed in. Nothing happens by looking at it.
pub(in crate::demo) async fn ask(user: RequireUser, Query(asked): Query<Asked>) -> Answer {
    let Some(back) = way_back(&asked) else { return Ok(StatusCode::BAD_REQUEST.into_response()) };
    let word = proof::word(&asked.code_challenge);
    let frame = Frame::of(user.session(), "devices")?;
    let mut answer = page(&Page { frame, asked, word })?;
    // A form may lead where its answer redirects to, in the words of this policy.
    let origin = back.origin().ascii_serialization();
    let policy = crate::demo::server::policy(&origin);
    if let Ok(policy) = policy.parse() {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(answer)
}

/// Takes the answer to the terminal.
pub(in crate::demo) async fn answer(
    State(app): State<Arc<App>>,
    user: RequireUser,
    CsrfForm(pressed): CsrfForm<Pressed>,
) -> Answer {
    let is_allowed = pressed.allow.is_some();
    let asked = Asked {
        response_type: pressed.response_type,
        redirect_uri: pressed.redirect_uri,
        state: pressed.state,
        code_challenge: pressed.code_challenge,
        code_challenge_method: pressed.code_challenge_method,
        device: pressed.device,
    };
    let account = named(user.id().as_str());
    let (Some(mut back), Some(account)) = (way_back(&asked), account) else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    let consent = Consent {
        account,
        device: asked.device,
        redirect_uri: asked.redirect_uri,
        challenge: asked.code_challenge,
    };
    let code = if is_allowed { app.terminals.code(consent) } else { None };
    let (name, text) = match &code {
        Some(code) => ("code", code.as_str()),
        None if is_allowed => ("error", "temporarily_unavailable"),
        None => ("error", "access_denied"),
    };
    back.query_pairs_mut().append_pair(name, text).append_pair("state", &asked.state);
    Ok(([(CACHE_CONTROL, "no-store")], Redirect::to(back.as_str())).into_response())
}

/// Where to go back to, if all of it is as a terminal asks: a port of this very machine, and a
/// proof that is told later. Anything else is answered here and nowhere else.
fn way_back(asked: &Asked) -> Option<Url> {
    let url = Url::parse(&asked.redirect_uri).ok()?;
    let is_loopback = match url.host()? {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        // `localhost` may be resolved elsewhere (RFC 8252 §8.3).
        Host::Domain(_) => false,
    };
    let is_bare = url.username().is_empty() && url.password().is_none();
    let is_here = url.scheme() == "http" && url.port().is_some() && is_loopback && is_bare;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    let is_text = |text: &str, from, to| {
        let is_good = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
        (from..=to).contains(&text.len()) && text.chars().all(is_good)
    };
    let is_asked = asked.response_type == "code" && asked.code_challenge_method == "S256";
    let is_proven = is_text(&asked.code_challenge, 43, 43) && is_text(&asked.state, 22, 128);
    let is_named = asked.device.chars().count() <= LONGEST_DEVICE
        && !asked.device.is_empty()
        && !asked.device.chars().any(char::is_control);
    (is_here && is_plain && is_asked && is_proven && is_named).then_some(url)
}

/// What a terminal sends with its code.
#[derive(Deserialize)]
struct Exchange {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

/// The exchange, outside of the session layer: a terminal has no cookie yet, and no page.
pub(in crate::demo) fn router(app: Arc<App>) -> Router {
    Router::new().route("/terminal/token", post(exchange)).with_state(app)
}

async fn exchange(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    form: Result<Form<Exchange>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return refused(StatusCode::BAD_REQUEST, "invalid_request") };
    if form.grant_type != "authorization_code" {
        return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let user_agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let exchanged = app.terminals.exchange(
        &form.code,
        &form.code_verifier,
        &form.redirect_uri,
        user_agent.map(Into::into),
    );
    match exchanged.await {
        Ok(granted) => ([(CACHE_CONTROL, "no-store")], Json(granted)).into_response(),
        Err(Refused::Grant) => refused(StatusCode::BAD_REQUEST, "invalid_grant"),
        Err(Refused::Again(id)) => {
            // Somebody knows code and proof: what they were exchanged for is not to be trusted
            // (RFC 6749 §4.1.2).
            if let Ok(id) = id.parse::<SessionId>() {
                let _ = app.sessions.end(id, EndReason::Revoked, Some("a code came back")).await;
            }
            refused(StatusCode::BAD_REQUEST, "invalid_grant")
        }
        Err(Refused::Service(error)) => {
            let error = error.without_url();
            tracing::warn!(%error, "the service began no session for a terminal");
            refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
    }
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(redirect_uri: &str) -> Asked {
        Asked {
            response_type: "code".into(),
            redirect_uri: redirect_uri.into(),
            state: "s".repeat(43),
            code_challenge: "c".repeat(43),
            code_challenge_method: "S256".into(),
            device: "kiosk".into(),
        }
    }

    #[test]
    fn an_answer_goes_to_a_port_of_this_machine_and_nowhere_else() {
        for good in ["http://127.0.0.1:1234/signed-in", "http://[::1]:1234/x"] {
            assert!(way_back(&asked(good)).is_some(), "{good}");
        }
        for bad in [
            "",
            "/signed-in",
            "http://127.0.0.1/signed-in",
            "https://evil.example/",
            "http://localhost:1234/",
            "http://127.0.0.1.evil.example:1/",
            "http://127.0.0.1:1@evil.example:1/",
            "http://user@127.0.0.1:1/",
            "http://127.0.0.1:1/?a=b",
            "http://127.0.0.1:1/#a",
            "javascript:alert(1)",
        ] {
            assert!(way_back(&asked(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_has_no_proof_or_no_name_gets_no_answer() {
        let good = || asked("http://127.0.0.1:1234/signed-in");
        assert!(way_back(&Asked { code_challenge_method: "plain".into(), ..good() }).is_none());
        assert!(way_back(&Asked { code_challenge: "short".into(), ..good() }).is_none());
        assert!(way_back(&Asked { state: String::new(), ..good() }).is_none());
        assert!(way_back(&Asked { response_type: "token".into(), ..good() }).is_none());
        assert!(way_back(&Asked { device: "a\nb".into(), ..good() }).is_none());
        assert!(way_back(&Asked { device: "x".repeat(65), ..good() }).is_none());
    }
}
