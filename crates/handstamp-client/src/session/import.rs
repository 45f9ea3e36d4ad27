//! Sessions that axiomtrade-rs left behind: a plain JSON file.

use std::collections::BTreeMap;
use std::net::IpAddr;

use handstamp_protocol::Time;
use serde::Deserialize;
use url::Url;

use super::{AuthTokens, CookieChanges, LinkedSession, Session, UserInfo};
use crate::token::Token;

/// What was to be imported is no such file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is no JSON of that form. The place is told, not the text. Retrying never helps.
    #[error("not a session file, at line {line}, column {column}")]
    Form {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

#[derive(Deserialize)]
struct File {
    tokens: Tokens,
    #[serde(default)]
    cookies: Option<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    turnkey_session: Option<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    user_info: Option<BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    session_metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_at: Option<Time>,
}

#[derive(Deserialize)]
struct Metadata {
    created_at: Option<Time>,
    last_refreshed_at: Option<Time>,
    last_api_call_at: Option<Time>,
    current_api_server: Option<String>,
    user_agent: Option<String>,
    ip_address: Option<IpAddr>,
    client_fingerprint: Option<String>,
}

/// Reads the plain session file of axiomtrade-rs (`.axiom_session.json`). Its cookies belong to
/// `origin`, which the file does not say; its Turnkey session becomes the linked session
/// `turnkey`, with every further text of it among the secrets. Delete the file once the session is
/// saved.
///
/// # Errors
/// [`ImportError`].
pub fn import_json(text: &[u8], origin: &Url, now: Time) -> Result<Session, ImportError> {
    let file: File = serde_json::from_slice(text)
        .map_err(|error| ImportError::Form { line: error.line(), column: error.column() })?;
    let tokens = AuthTokens {
        refresh_token: file.tokens.refresh_token.filter(|token| !token.is_empty()).map(Token::new),
        expires_at: file.tokens.expires_at,
        ..AuthTokens::new(file.tokens.access_token)
    };
    let user = file.user_info.as_ref().map(user).unwrap_or_default();
    let mut session = Session::new(tokens, user);
    if let Some(cookies) = &file.cookies {
        session.cookies.apply(&CookieChanges::of_pairs(origin, pairs(cookies)));
    }
    if let Some(turnkey) = &file.turnkey_session {
        session.linked.insert("turnkey".to_owned(), linked(turnkey));
    }
    if let Some(metadata) = file.session_metadata {
        note(&mut session, metadata, now);
    }
    Ok(session)
}

/// The cookies: texts at the top, and one level of `additional_cookies`. The names are those that
/// the server used: `auth-access-token` is written with underscores in the file.
fn pairs(cookies: &BTreeMap<String, serde_json::Value>) -> Vec<(&str, &str)> {
    let known = |name: &str| match name {
        "auth_access_token" => Some("auth-access-token"),
        "auth_refresh_token" => Some("auth-refresh-token"),
        "g_state" => Some("g_state"),
        _ => None,
    };
    let top = cookies.iter().filter_map(|(name, value)| Some((known(name)?, value.as_str()?)));
    let more = cookies.get("additional_cookies").and_then(|more| more.as_object());
    let more = more.into_iter().flatten();
    top.chain(more.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))).collect()
}

fn text(from: &BTreeMap<String, serde_json::Value>, name: &str) -> Option<String> {
    from.get(name)?.as_str().map(str::to_owned)
}

fn user(from: &BTreeMap<String, serde_json::Value>) -> UserInfo {
    UserInfo {
        subject: text(from, "id").or_else(|| text(from, "user_id")),
        name: text(from, "name").or_else(|| text(from, "username")),
        email: text(from, "email"),
        phone: text(from, "phone"),
        roles: Vec::new(),
    }
}

fn linked(from: &BTreeMap<String, serde_json::Value>) -> LinkedSession {
    const OPEN: [&str; 5] = ["organization_id", "user_id", "username", "created_at", "expires_at"];
    let secrets = from.iter().filter(|(name, _)| !OPEN.contains(&name.as_str()));
    let secrets = secrets.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.into())));
    LinkedSession {
        organization_id: text(from, "organization_id"),
        user_id: text(from, "user_id"),
        secrets: secrets.collect(),
        created_at: text(from, "created_at").and_then(|at| at.parse().ok()),
        expires_at: text(from, "expires_at").and_then(|at| at.parse().ok()),
    }
}

fn note(session: &mut Session, from: Metadata, now: Time) {
    let to = &mut session.metadata;
    to.created_at = from.created_at.unwrap_or(now);
    to.last_refreshed_at = from.last_refreshed_at;
    to.last_api_call_at = from.last_api_call_at;
    to.current_api_server = from.current_api_server;
    to.user_agent = from.user_agent;
    to.ip_address = from.ip_address;
    to.client_fingerprint = from.client_fingerprint;
    session.authenticated_at = to.created_at;
    let at = to.last_refreshed_at.unwrap_or(to.created_at);
    session.tokens.obtained_at = Some(at.min(now));
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../tests/fixtures/axiom_session.json");

    #[test]
    fn a01_the_plain_file_of_axiomtrade_rs_is_read() {
        let origin = "https://api.axiom.trade/".parse().unwrap();
        let session =
            import_json(FILE.as_bytes(), &origin, Time::from_millis(1_770_000_000_000)).unwrap();
        assert_eq!(session.tokens.access_token.expose(), "jwt_access_token");
        assert_eq!(session.tokens.refresh_token.as_ref().unwrap().expose(), "jwt_refresh_token");
        assert_eq!(session.tokens.expires_at.unwrap().to_string(), "2026-01-31T13:00:00.123Z");
        assert_eq!(session.email(), Some("ada@example.com"));
        let cookies = session.cookies.header(&origin).unwrap();
        assert!(cookies.contains("auth-access-token=a=b") && cookies.contains("extra=1"));
        assert_eq!(session.cookies.header(&"https://evil.test/".parse().unwrap()), None);
        assert_eq!(session.linked["turnkey"].secrets["client_secret"].expose(), "cs");
        assert_eq!(session.metadata.user_agent.as_deref(), Some("agent/1"));
    }

    #[test]
    fn what_is_no_such_file_is_refused_by_its_place_and_without_its_text() {
        let origin = "https://a.test/".parse().unwrap();
        let error = import_json(br#"{"tokens":{"access_token":7777}}"#, &origin, Time::MIN);
        let shown = error.unwrap_err().to_string();
        assert!(shown.contains("line 1") && !shown.contains("7777"), "{shown}");
    }
}
