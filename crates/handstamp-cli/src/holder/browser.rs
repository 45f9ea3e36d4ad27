//! Signing in with the browser of this machine, at a page of an application (RFC 8252).
//!
//! The page asks whoever is signed in there whether this terminal may act for them, and sends the
//! browser back to a port of 127.0.0.1 with a code. The code is worth nothing without the proof
//! that never leaves this process until it is exchanged, and it is exchanged once.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use handstamp_protocol::sessions::TokenAnswer;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::callback::{Callback, Came};
use super::opener::Lead;
use super::{http, notes};
use crate::failure::{Exit, Failure, chain, say};
use crate::{proof, signals};

/// How long to wait for somebody in front of a browser.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the application may take to exchange a code.
const ANSWER: Duration = Duration::from_secs(20);
/// No answer is larger, in bytes.
const LARGEST: usize = 256 * 1024;

/// What an application answers to a code: tokens, and the service that they are for.
#[derive(Deserialize)]
pub(super) struct Granted {
    /// The address of the session service.
    pub(super) service: String,
    /// What it answered to the begin of the session.
    #[serde(flatten)]
    pub(super) answer: TokenAnswer,
}

/// Has the user sign in at `page`, and answers what the application gave for it. `opening` is the
/// folder for what a browser is started with; without one none is.
///
/// # Errors
/// Exit 4 if the user, or the application, says no; exit 5 if the application does not answer; exit
/// 1 if nobody came in time, or the program was asked to stop.
pub(super) async fn sign_in(page: &str, opening: Option<&Path>) -> Result<Granted, Failure> {
    let page = notes::address(page)?;
    let (verifier, state) = (random()?, random()?);
    let challenge = proof::challenge(&verifier);
    let callback = Callback::listen(state.to_string()).await?;
    let address = asking(&page, &callback, &state, &challenge)?;
    say(&format!("sign in with your browser at {address}"));
    say(&format!("the page and this terminal both show {}", proof::word(&challenge)));
    let Came { code, answer } = back(&callback, &address, opening).await?;
    let stop = signals::asked_to_stop()?;
    let address_here = callback.address();
    let granted = tokio::select! {
        granted = exchange(&page, &address_here, &code, &verifier) => granted,
        () = stop => {
            Err(Failure::new("asked to stop; what the page has granted, if anything, lives on"))
        }
    };
    answer.give(granted.is_ok()).await;
    granted
}

/// Waits until the browser has come back, started by us or by hand.
async fn back(callback: &Callback, address: &str, opening: Option<&Path>) -> Result<Came, Failure> {
    let stop = signals::asked_to_stop()?;
    // Whatever ends the wait, what a browser was started with is gone after it.
    let _lead = opening.filter(|_| io::stderr().is_terminal()).and_then(|within| {
        let lead = Lead::write(within, address).ok()?;
        lead.open();
        Some(lead)
    });
    tokio::select! {
        came = tokio::time::timeout(PATIENCE, callback.wait()) => {
            let late = |_| Failure::new("nobody has signed in; run it again for another try");
            came.map_err(late)?
        }
        () = stop => Err(Failure::new("asked to stop; nobody has signed in")),
    }
}

/// The page's address with everything that it needs to know.
fn asking(
    page: &str,
    callback: &Callback,
    state: &str,
    challenge: &str,
) -> Result<String, Failure> {
    let failed = |error| Failure::because("that is no address", &error);
    let mut url = Url::parse(page).map_err(failed)?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", &callback.address())
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("device", &device());
    Ok(url.into())
}

/// What this machine calls itself.
fn device() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    let name: String = name.chars().filter(|it| !it.is_control()).take(40).collect();
    if name.is_empty() { "a terminal".into() } else { name }
}

fn random() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    let none = |_| Failure::new("the operating system gives no random numbers");
    getrandom::fill(bytes.as_mut_slice()).map_err(none)?;
    Ok(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes)))
}

#[derive(Serialize)]
struct Exchange<'a> {
    grant_type: &'static str,
    code: &'a str,
    redirect_uri: &'a str,
    code_verifier: &'a str,
}

async fn exchange(
    page: &str,
    redirect_uri: &str,
    code: &str,
    code_verifier: &str,
) -> Result<Granted, Failure> {
    let away = |error: reqwest::Error| {
        let error = chain(&error.without_url());
        Failure::new(format!("{page} does not answer: {error}")).with(Exit::Unreachable)
    };
    let client = http::client(page, ANSWER).map_err(away)?;
    let form = Exchange { grant_type: "authorization_code", code, redirect_uri, code_verifier };
    let mut answer = client.post(format!("{page}/token")).form(&form).send().await.map_err(away)?;
    if answer.status().is_client_error() {
        let line = format!("{page} does not give a session for this code");
        return Err(Failure::new(line).with(Exit::Refused));
    }
    let body = http::body(&mut answer, LARGEST).await.map_err(away)?;
    let granted = body.filter(|_| answer.status().is_success());
    let granted = granted.and_then(|body| serde_json::from_slice(&body).ok());
    // The text of an error could quote a token.
    let line = || format!("{page} answers what cannot be understood");
    granted.ok_or_else(|| Failure::new(line()).with(Exit::Unreachable))
}
