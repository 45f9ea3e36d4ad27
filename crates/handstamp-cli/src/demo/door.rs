//! Whoever gives a name and a password: whether they go together, and whether it is too soon to
//! ask.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use handstamp_core::SessionError;

use super::accounts::{Account, Accounts};
use super::counsel::Counsel;
use super::wording;

/// Checks passwords, as often as the service thinks right.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) accounts: Accounts,
    pub(super) counsel: Counsel,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// Name and password do not go together; the next try is to wait so long.
    Wrong(Option<Duration>),
    /// The wait is not over. Nothing was looked at, and nothing is counted.
    TooSoon(Duration),
}

impl Door {
    /// The account that they belong to.
    ///
    /// A wrong name and a wrong password get the same answer and take the same time.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the failure cannot be reported: nobody may guess uncounted.
    pub(super) async fn check(
        &self,
        name: &str,
        password: &str,
        headers: &HeaderMap,
    ) -> Result<Result<&'static Account, Refusal>, SessionError> {
        if let Some(wait) = self.counsel.wait(name) {
            return Ok(Err(Refusal::TooSoon(wait)));
        }
        let Some(account) = self.accounts.check(name, password).await else {
            return Ok(Err(Refusal::Wrong(self.counsel.failed(name, headers).await?)));
        };
        self.counsel.came_in(name);
        Ok(Ok(account))
    }
}

impl Refusal {
    /// Whether a password was checked at all.
    pub(super) const fn is_wrong(self) -> bool {
        matches!(self, Self::Wrong(_))
    }

    /// How long to wait before the next try.
    pub(super) fn wait(self) -> Option<String> {
        self.time().map(wording::wait)
    }

    const fn time(self) -> Option<Duration> {
        match self {
            Self::Wrong(wait) => wait,
            Self::TooSoon(wait) => Some(wait),
        }
    }

    /// The status of the answer (RFC 6585 §4), and when to come again.
    pub(super) fn head(self) -> (StatusCode, HeaderMap) {
        let mut headers = HeaderMap::new();
        if let Some(wait) = self.time() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wording::seconds(wait)));
        }
        let status = match self {
            Self::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooSoon(_) => StatusCode::TOO_MANY_REQUESTS,
        };
        (status, headers)
    }
}
