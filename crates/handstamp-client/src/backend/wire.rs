//! HTTP as the backends speak it: bounded answers, and what an answer means.

use std::time::{Duration, SystemTime};

use handstamp_protocol::Time;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use url::Url;

use super::BackendError;
use crate::address::Ways;
use crate::wiped::Wiped;

/// How long a connection may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long a whole answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// No answer of a token endpoint is larger, in bytes.
const LARGEST: usize = 1024 * 1024;

/// An answer, read whole.
pub(super) struct Read {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Overwritten in the end: it may hold tokens. What HTTP and TLS passed it through is not.
    pub(super) body: Wiped,
}

/// What an answer means that is none of those hoped for, by its status.
#[cfg(feature = "websocket")]
pub(crate) fn failure(response: &Response) -> BackendError {
    let (status, headers) = (response.status(), response.headers().clone());
    Read { status, headers, body: Wiped::default() }.failure()
}

/// Clients for these addresses.
pub(super) fn ways<'a>(to: impl IntoIterator<Item = &'a Url>) -> Result<Ways, reqwest::Error> {
    Ways::to(to, |builder| builder.connect_timeout(CONNECT))
}

/// Sends a request and reads its answer.
pub(super) async fn send(request: RequestBuilder) -> Result<Read, BackendError> {
    let response = request.timeout(ANSWER).send().await.map_err(passing)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read(response).await?;
    Ok(Read { status, headers, body })
}

async fn read(mut response: Response) -> Result<Wiped, BackendError> {
    let mut body = Wiped::default();
    while let Some(chunk) = response.chunk().await.map_err(passing)? {
        if body.bytes().len() + chunk.len() > LARGEST {
            return Err(BackendError::passing());
        }
        body.append(&chunk);
    }
    Ok(body)
}

fn passing(error: reqwest::Error) -> BackendError {
    let cause = Some(Box::new(error.without_url()) as _);
    BackendError::Transient { retry_after: None, cause }
}

impl Read {
    /// What a success says. Anything that cannot be understood may be of a proxy: it passes.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, BackendError> {
        // The text of the error could quote a token.
        serde_json::from_slice(self.body.bytes()).map_err(|_| BackendError::passing())
    }

    /// What the server's clock showed.
    pub(super) fn date(&self) -> Option<Time> {
        date(self.headers.get(DATE)?.to_str().ok()?)
    }

    /// What any status but a success means, unless it says more.
    pub(super) fn failure(&self) -> BackendError {
        let status = self.status.as_u16();
        match status {
            408 | 425 | 429 | 500.. => {
                BackendError::Transient { retry_after: self.retry_after(), cause: None }
            }
            // A captive portal, a proxy: not our server, or not its word.
            100..400 | 407 => BackendError::passing(),
            _ => BackendError::Status { status },
        }
    }

    /// `Retry-After`: seconds, or a date that is compared with the server's own.
    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let now = self.date().unwrap_or_else(|| SystemTime::now().into());
        Some(crate::clock::between(now, date(text)?))
    }
}

/// A date of HTTP in its usual form: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<Time> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().split_once(", ")?;
    let parts: Vec<_> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Read {
        let mut read = Read {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Wiped::default(),
        };
        for (name, value) in headers {
            read.headers.insert(*name, value.parse().unwrap());
        }
        read
    }

    #[test]
    fn dates_are_read_in_the_form_that_servers_write() {
        let read = date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(read.to_string(), "1994-11-06T08:49:37.000Z");
        for bad in ["", "Sun, 06 Nov 1994 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT", "x, y"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_servers_clock() {
        let wait = |headers: &[(&'static str, &str)]| match answer(429, headers).failure() {
            BackendError::Transient { retry_after, .. } => retry_after.map(|it| it.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(&[("retry-after", "17")]), Some(17));
        let dates = [
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"),
        ];
        assert_eq!(wait(&dates), Some(60));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a14_what_may_pass_is_told_from_what_will_not() {
        let passes =
            |status| matches!(answer(status, &[]).failure(), BackendError::Transient { .. });
        for status in [302, 407, 408, 425, 429, 500, 502, 503, 504, 511, 599] {
            assert!(passes(status), "{status}");
        }
        for status in [400, 401, 403, 404, 405, 413, 422] {
            assert!(!passes(status), "{status}");
        }
    }
}
