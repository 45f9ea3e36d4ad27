//! Any OAuth 2 token endpoint (RFC 6749, RFC 7009).

use std::time::Duration;

use reqwest::RequestBuilder;
use serde::Deserialize;
use url::Url;

use super::wire::{self, Read};
use super::{Answer, AuthBackend, BackendError, Granted, RefreshCall};
use crate::address::{AddressError, Plain, Ways};
use crate::token::Token;

/// A token endpoint, and perhaps one that revokes, for a client that has no secret: a native
/// program (RFC 8252).
///
/// The next refresh token, if one is handed out, takes the place of the one before. There is no
/// attempt id in OAuth: an answer that gets lost on the way may cost the session where the server
/// takes the second try for theft. That is why no process asks while another one may have asked.
#[derive(Clone, Debug)]
pub struct OauthBackend {
    ways: Ways,
    plain: Plain,
    token: Url,
    revocation: Option<Url>,
    client_id: String,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct ErrorResponse {
    error: String,
}

impl OauthBackend {
    /// The token endpoint at this address, for the client of this id.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(token_endpoint: &str, client_id: impl Into<String>) -> Result<Self, AddressError> {
        Self::at(token_endpoint, client_id.into(), Plain::Here)
    }

    /// The same at an address that need not be `https`, as need not that of the revocation.
    ///
    /// # Errors
    /// [`AddressError`].
    ///
    /// # Security
    /// Over plain HTTP whoever is on the way has the tokens. For networks that encrypt by
    /// themselves.
    pub fn dangerously_plain(
        token_endpoint: &str,
        client_id: impl Into<String>,
    ) -> Result<Self, AddressError> {
        Self::at(token_endpoint, client_id.into(), Plain::Anywhere)
    }

    fn at(address: &str, client_id: String, plain: Plain) -> Result<Self, AddressError> {
        let token = plain.endpoint(address)?;
        let ways = wire::ways([&token]).map_err(AddressError::Client)?;
        Ok(Self { ways, plain, token, revocation: None, client_id })
    }

    /// With an endpoint that revokes (RFC 7009).
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn with_revocation(mut self, address: &str) -> Result<Self, AddressError> {
        let url = self.plain.endpoint(address)?;
        self.ways = wire::ways([&self.token, &url]).map_err(AddressError::Client)?;
        self.revocation = Some(url);
        Ok(self)
    }

    fn post(&self, url: &Url) -> RequestBuilder {
        self.ways.client(url).post(url.clone())
    }

    async fn exchange(&self, call: RefreshCall) -> Result<Granted, BackendError> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", call.token.expose()),
            ("client_id", &self.client_id),
        ];
        let read = wire::send(self.post(&self.token).form(&form)).await?;
        if !read.status.is_success() {
            return Err(refusal(&read).unwrap_or_else(|| read.failure()));
        }
        let answer: TokenResponse = read.json()?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(BackendError::Status { status: read.status.as_u16() });
        }
        Ok(Granted {
            expires_in: answer.expires_in.map(Duration::from_secs),
            refresh_token: answer.refresh_token.map(Token::new),
            date: read.date(),
            ..Granted::new(answer.access_token)
        })
    }
}

/// `invalid_grant` is the one answer that says that the refresh token is dead (RFC 6749, 5.2).
fn refusal(read: &Read) -> Option<BackendError> {
    let error: ErrorResponse = serde_json::from_slice(read.body.bytes()).ok()?;
    let is_it = read.status.as_u16() == 400 && error.error == "invalid_grant";
    is_it.then_some(BackendError::Refused { reason: None })
}

impl AuthBackend for OauthBackend {
    fn refresh(&self, call: RefreshCall) -> Answer<'_, Granted> {
        Box::pin(self.exchange(call))
    }

    fn revoke(&self, refresh_token: Token) -> Answer<'_, ()> {
        Box::pin(async move {
            let Some(url) = &self.revocation else { return Err(BackendError::Unsupported) };
            let form = [
                ("token", refresh_token.expose()),
                ("token_type_hint", "refresh_token"),
                ("client_id", &self.client_id),
            ];
            let read = wire::send(self.post(url).form(&form)).await?;
            if read.status.is_success() { Ok(()) } else { Err(read.failure()) }
        })
    }
}
