//! Types that only settings have: secrets, rates, addresses of the web.

use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::row::Row;
use super::value::{Raw, Value, Wrong, text};

/// What is shown in place of a secret.
const MASK: &str = "********";

/// A text that is never shown, and wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Only for settings as a whole, which are compared in tests; not in constant time.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Value for Secret {
    const IS_SECRET: bool = true;

    fn allowed(row: &Row) -> String {
        format!("a text of {} to {} bytes", row.least, row.most)
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        let length = |secret: &&str| (row.least..=row.most).contains(&(secret.len() as u64));
        let secret = raw.text().filter(length);
        secret.map(|secret| Self(Zeroizing::new(secret.into()))).ok_or_else(|| Wrong(MASK.into()))
    }

    fn shown(&self, _: &Row) -> Json {
        MASK.into()
    }
}

/// How often something may happen: so many times in so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many times, at least 1.
    pub count: u32,
    /// In how long.
    pub window: Duration,
}

impl Rate {
    /// Reads `10/60s`; the window may be in `s`, `m`, `h` or `d`.
    fn parse(text: &str) -> Option<Self> {
        let (count, window) = text.split_once('/')?;
        let is_number = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
        let unit = window.chars().next_back()?;
        let amount = &window[..window.len() - unit.len_utf8()];
        if !is_number(count) || !is_number(amount) {
            return None;
        }
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let count = count.parse().ok().filter(|count| *count > 0)?;
        let amount = amount.parse::<u64>().ok().filter(|amount| *amount > 0)?;
        let window = amount.checked_mul(seconds).filter(|seconds| *seconds <= 86_400 * 366)?;
        Some(Self { count, window: Duration::from_secs(window) })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}s", self.count, self.window.as_secs())
    }
}

impl Value for Rate {
    fn allowed(_: &Row) -> String {
        "so many in so long, like \"10/60s\" (s, m, h or d)".into()
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        Self::parse(text(raw, row)?).map_or_else(|| raw.wrong(), Ok)
    }

    fn shown(&self, _: &Row) -> Json {
        self.to_string().into()
    }
}

/// A `http` or `https` address without user, query or fragment, and without a slash at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebAddress(String);

impl WebAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `https`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Scheme, host and port: what browsers call its origin.
    pub fn origin(&self) -> &str {
        let start = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0[start..].find('/').map_or(self.0.len(), |at| start + at);
        &self.0[..end]
    }

    /// Whether browsers take its host for this very machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.origin().split("://").nth(1).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|c| c.is_ascii_digit()) { name } else { host }
        });
        matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_plain = !authority.as_str().contains('@') && !text.contains(['?', '#']);
        let is_lower = !authority.as_str().bytes().any(|c| c.is_ascii_uppercase());
        let is_good = is_web && is_plain && is_lower && !authority.host().is_empty();
        is_good.then(|| Self(text.trim_end_matches('/').into()))
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for WebAddress {
    fn allowed(_: &Row) -> String {
        "an address like https://sessions.example.org, without user, query or fragment".into()
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        Self::parse(text(raw, row)?).map_or_else(|| raw.wrong(), Ok)
    }

    fn shown(&self, _: &Row) -> Json {
        self.as_str().into()
    }
}

/// Scheme, host and port, like `https://app.example.org`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin(WebAddress);

impl Origin {
    /// The origin, as browsers write it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Value for Origin {
    fn allowed(_: &Row) -> String {
        "origins like https://app.example.org, without a path".into()
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        let text = text(raw, row)?;
        let address = WebAddress::parse(text).filter(|address| address.origin() == text);
        address.map_or_else(|| raw.wrong(), |address| Ok(Self(address)))
    }

    fn shown(&self, _: &Row) -> Json {
        self.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_and_a_window() {
        let ten = Rate { count: 10, window: Duration::from_secs(60) };
        assert_eq!(Rate::parse("10/60s"), Some(ten));
        assert_eq!(Rate::parse("10/1m"), Some(ten));
        assert_eq!(Rate::parse(&ten.to_string()), Some(ten));
        for wrong in
            ["", "10", "10/", "10/s", "0/1s", "1/0s", "+1/1s", "1/1w", "1/1é", "1/9999999d"]
        {
            assert_eq!(Rate::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_of_the_web_has_an_origin() {
        let address = WebAddress::parse("https://a.example:8443/auth/").unwrap();
        assert_eq!(address.as_str(), "https://a.example:8443/auth");
        assert_eq!(address.origin(), "https://a.example:8443");
        assert!(address.is_https() && !address.is_loopback());
        for loopback in ["http://127.0.0.1:7070", "http://[::1]:1", "http://app.localhost"] {
            assert!(WebAddress::parse(loopback).unwrap().is_loopback(), "{loopback}");
        }
        let refused =
            ["", "/x", "a.example", "ftp://a", "https://u@a", "https://a?b", "https://a#b"];
        for wrong in refused {
            assert_eq!(WebAddress::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret(Zeroizing::new("hunter2".into()));
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
