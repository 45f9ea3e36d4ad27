//! The session service of Handstamp.

use std::time::Duration;

use handstamp_protocol::logs::LogList;
use handstamp_protocol::page::MAX_LIMIT;
use handstamp_protocol::refresh::RefreshRequest;
use handstamp_protocol::sessions::{
    EndedAnswer, EndedCount, GuestRequest, Kind, LabelRequest, LogoutAllRequest, LogoutRequest,
    SessionList, TokenAnswer,
};
use handstamp_protocol::status::Status;
use handstamp_protocol::{ErrorCode, Problem, Secret, paths};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::wire::{self, Read};
use super::{Answer, AuthBackend, BackendError, Granted, RefreshCall};
use crate::address::{AddressError, Plain};
use crate::session::UserInfo;
use crate::token::Token;

/// `handstamp serve`, at an address.
///
/// # Security
/// Redirects are not followed, so tokens go to nobody else. Without TLS they go to this machine only,
/// and through no proxy.
#[derive(Clone, Debug)]
pub struct HandstampBackend {
    client: Client,
    base: String,
}

impl HandstampBackend {
    /// The service at this address: `https://id.example.com`. Through the proxies that the
    /// environment names, but for a service on this machine.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(address: &str) -> Result<Self, AddressError> {
        Self::at(Plain::Here.endpoint(address)?)
    }

    /// The same at an address that need not be `https`.
    ///
    /// # Errors
    /// [`AddressError`].
    ///
    /// # Security
    /// Over plain HTTP whoever is on the way has the tokens. For networks that encrypt by
    /// themselves.
    pub fn dangerously_plain(address: &str) -> Result<Self, AddressError> {
        Self::at(Plain::Anywhere.endpoint(address)?)
    }

    /// The same through a client of the caller's, for proxies and certificates of its own. It
    /// should follow no redirects.
    ///
    /// # Errors
    /// [`AddressError::Address`] and [`AddressError::Plain`].
    pub fn with_client(client: Client, address: &str) -> Result<Self, AddressError> {
        Ok(Self { client, base: base(&Plain::Here.endpoint(address)?) })
    }

    fn at(url: Url) -> Result<Self, AddressError> {
        let ways = wire::ways([&url]).map_err(AddressError::Client)?;
        Ok(Self { client: ways.client(&url).clone(), base: base(&url) })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&Token>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, BackendError> {
        let request = self.request(Method::POST, path).json(body);
        understood(&wire::send(authorized(request, token)?).await?)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &Token,
        query: &[(&str, String)],
    ) -> Result<T, BackendError> {
        let request = self.request(Method::GET, path).query(query);
        understood(&wire::send(authorized(request, Some(token))?).await?)
    }
}

fn base(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

fn authorized(
    request: RequestBuilder,
    token: Option<&Token>,
) -> Result<RequestBuilder, BackendError> {
    let Some(token) = token else { return Ok(request) };
    Ok(request.header(AUTHORIZATION, bearer(token).ok_or(BackendError::Status { status: 401 })?))
}

/// The value of `Authorization`; none if the token is no text for a header.
pub(crate) fn bearer(token: &Token) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What the service says; or, if it says so itself, that the session is over.
fn understood<T: DeserializeOwned>(read: &Read) -> Result<T, BackendError> {
    if read.status.is_success() {
        return read.json();
    }
    Err(refusal(read).unwrap_or_else(|| read.failure()))
}

/// Only a 401 in the service's own words is one: not that of a proxy before it.
fn refusal(read: &Read) -> Option<BackendError> {
    let kind = read.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let is_problem = kind.starts_with(handstamp_protocol::headers::PROBLEM_JSON);
    if read.status.as_u16() != 401 || !is_problem {
        return None;
    }
    let problem: Problem = serde_json::from_slice(read.body.bytes()).ok()?;
    match problem.code {
        ErrorCode::SessionInvalid
        | ErrorCode::SessionExpired
        | ErrorCode::SessionEnded
        | ErrorCode::SessionNotFound => Some(BackendError::Refused { reason: problem.reason }),
        // Set aside, and perhaps taken back.
        ErrorCode::SessionSuspended => Some(BackendError::passing()),
        _ => None,
    }
}

impl From<TokenAnswer> for Granted {
    fn from(answer: TokenAnswer) -> Self {
        let session = answer.session;
        Self {
            access_token: answer.access_token.into(),
            expires_in: Some(Duration::from_secs(answer.expires_in)),
            refresh_token: Some(answer.refresh_token.into()),
            refresh_expires_in: Some(Duration::from_secs(answer.refresh_expires_in)),
            id: Some(session.id),
            user: Some(UserInfo {
                subject: session.subject,
                name: session.name,
                email: session.email,
                phone: session.phone,
                roles: session.roles,
            }),
            is_guest: Some(session.kind == Kind::Guest),
            authenticated_at: Some(session.authenticated_at),
            date: None,
        }
    }
}

impl HandstampBackend {
    async fn grant(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Granted, BackendError> {
        let read = wire::send(self.request(Method::POST, path).json(body)).await?;
        let answer: TokenAnswer = understood(&read)?;
        Ok(Granted { date: read.date(), ..answer.into() })
    }
}

fn secret(token: &Token) -> Secret {
    Secret::new(token.expose())
}

/// The path of a session. An id is of few characters; anything else names no session and must not
/// name a path.
fn path_of(id: &str) -> Result<String, BackendError> {
    let is_id = id.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_'));
    let is_id = is_id && !id.is_empty();
    is_id.then(|| paths::with(paths::SESSION, id)).ok_or(BackendError::Status { status: 404 })
}

fn page(cursor: Option<String>) -> Vec<(&'static str, String)> {
    let cursor = cursor.map(|cursor| ("cursor", cursor));
    cursor.into_iter().chain([("limit", MAX_LIMIT.to_string())]).collect()
}

impl AuthBackend for HandstampBackend {
    fn refresh(&self, call: RefreshCall) -> Answer<'_, Granted> {
        Box::pin(async move {
            let request = RefreshRequest {
                refresh_token: Some(secret(&call.token)),
                attempt_id: Some(secret(&call.attempt)),
                last_active_at: call.last_active_at,
            };
            self.grant(paths::REFRESH, &request).await
        })
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn revoke(&self, refresh_token: Token) -> Answer<'_, ()> {
        Box::pin(async move {
            let request = LogoutRequest { refresh_token: Some(secret(&refresh_token)) };
            self.post::<EndedAnswer>(paths::LOGOUT, None, &request).await.map(drop)
        })
    }

    fn begin_guest(&self) -> Answer<'_, Granted> {
        Box::pin(async move { self.grant(paths::GUEST, &GuestRequest::default()).await })
    }

    fn status(&self, access_token: Token) -> Answer<'_, Status> {
        Box::pin(async move { self.get(paths::STATUS, &access_token, &[]).await })
    }

    fn sessions(&self, access_token: Token, cursor: Option<String>) -> Answer<'_, SessionList> {
        Box::pin(async move { self.get(paths::MY_SESSIONS, &access_token, &page(cursor)).await })
    }

    fn logs(&self, access_token: Token, cursor: Option<String>) -> Answer<'_, LogList> {
        Box::pin(
            async move { self.get(paths::MY_SESSION_LOGS, &access_token, &page(cursor)).await },
        )
    }

    fn end_all(&self, access_token: Token, except_current: bool) -> Answer<'_, u64> {
        Box::pin(async move {
            let request = LogoutAllRequest { except_current: Some(except_current) };
            let ended: EndedCount =
                self.post(paths::LOGOUT_ALL, Some(&access_token), &request).await?;
            Ok(ended.ended)
        })
    }

    fn end(&self, access_token: Token, id: String) -> Answer<'_, bool> {
        Box::pin(async move {
            let request = self.request(Method::DELETE, &path_of(&id)?);
            let read = wire::send(authorized(request, Some(&access_token))?).await?;
            understood::<EndedAnswer>(&read).map(|answer| answer.ended)
        })
    }

    fn name(&self, access_token: Token, id: String, label: Option<String>) -> Answer<'_, ()> {
        Box::pin(async move {
            let request = self.request(Method::PATCH, &path_of(&id)?);
            let request = request.json(&LabelRequest { label });
            let read = wire::send(authorized(request, Some(&access_token))?).await?;
            // What it answers is the session, or nothing.
            if read.status.is_success() { Ok(()) } else { understood(&read) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_of_a_server_is_refused() {
        for bad in
            ["", "id.example.com", "ftp://id", "file:///x", "http://id/?a=1", "http://u:p@id"]
        {
            assert!(matches!(HandstampBackend::new(bad), Err(AddressError::Address)), "{bad}");
        }
        assert!(HandstampBackend::new("https://id.example.com/auth/").is_ok());
    }

    #[test]
    fn a_token_that_is_no_text_for_a_header_is_sent_nowhere() {
        assert!(bearer(&Token::new("a\r\nHost: b")).is_none());
        assert!(bearer(&Token::new("a")).unwrap().is_sensitive());
    }
}
