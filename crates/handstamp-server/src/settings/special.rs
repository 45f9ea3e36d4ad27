//! Types that only settings have: secrets, rates, addresses of the web and of stores.

use std::fmt;
use std::path::Path;
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

/// Where sessions are kept: on PostgreSQL, or in a folder of SQLite.
///
/// # Security
/// It may hold a password, so it shows itself without one.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress(Zeroizing<String>);

impl StoreAddress {
    /// The whole address, password included.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The folder, where it is SQLite.
    pub fn folder(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite://").map(Path::new)
    }

    /// Reads an address; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = |scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty());
        let is_address = ["postgres://", "postgresql://", "sqlite://"].into_iter().any(is_ours);
        let is_plain = !text.contains(char::is_whitespace);
        (is_address && is_plain).then(|| Self(Zeroizing::new(text.into())))
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for StoreAddress {
    fn allowed(_: &Row) -> String {
        "an address like postgres://user@host/name or sqlite:///folder".into()
    }

    fn read(raw: &Raw, row: &Row) -> Result<Self, Wrong> {
        // What is wrong may hold a password too.
        let masked = |text: &str| Wrong(without_password(text));
        let text = text(raw, row)?;
        Self::parse(text).ok_or_else(|| masked(text))
    }

    fn shown(&self, _: &Row) -> Json {
        self.to_string().into()
    }
}

/// Whether a text is an address with a password in it.
pub(super) fn has_password(text: &str) -> bool {
    without_password(text) != text
}

/// An address with its password masked: the part between user and host, and a parameter of that
/// name. A password may hold what would end the part it stands in, so the last `@` counts; too much
/// is masked rather than too little.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (who, rest) = match rest.rsplit_once('@') {
        Some((who, rest)) => (Some(who), rest),
        None => (None, rest),
    };
    let who = who.map(|who| match who.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}@"),
        None => format!("{who}@"),
    });
    let (place, parameters) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
    let parameters = parameters.map(|parameters| {
        let masked = parameters.split('&').map(|one| match one.split_once('=') {
            // An encoded name may be any.
            Some((name, _)) if name.eq_ignore_ascii_case("password") || name.contains('%') => {
                format!("{name}={MASK}")
            }
            _ => one.to_owned(),
        });
        format!("?{}", masked.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{}{place}{}", who.unwrap_or_default(), parameters.unwrap_or_default())
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
    fn an_address_of_a_store_shows_no_password() {
        let address =
            StoreAddress::parse("postgres://me:hunter2@db/shop?password=hunter2").unwrap();
        let (shown, debug) = (address.to_string(), format!("{address:?}"));
        assert!(!shown.contains("hunter2") && !debug.contains("hunter2"), "{shown}");
        assert_eq!(shown, format!("postgres://me:{MASK}@db/shop?password={MASK}"));
        assert!(has_password(address.expose()));
        for odd in [
            "postgres://me:hun?ter2@db/shop",
            "postgres://me:hun@ter?2@db/shop",
            "postgres://me@db/shop?%70assword=hunter2",
        ] {
            let shown = without_password(odd);
            assert!(!shown.contains("hun") && !shown.contains("ter"), "{shown}");
        }
        for plain in ["postgres://me@db/shop?host=/run", "sqlite:///var/lib/hs", "text"] {
            assert_eq!(without_password(plain), plain);
        }
        for wrong in ["", "mysql://db/shop", "postgres://", "sqlite://", "postgres://a b/c"] {
            assert_eq!(StoreAddress::parse(wrong), None, "{wrong}");
        }
        let folder = StoreAddress::parse("sqlite:///var/lib/hs").unwrap();
        assert_eq!(folder.folder(), Some(Path::new("/var/lib/hs")));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret(Zeroizing::new("hunter2".into()));
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
