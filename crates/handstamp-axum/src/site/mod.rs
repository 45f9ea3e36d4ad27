//! The cross-site check: was this request made by a page of this site?

mod origin;

use http::header::{ORIGIN, REFERER, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use origin::Origin;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What `Vary` says of an answer that depended on the check.
pub(crate) const VARY: HeaderValue = HeaderValue::from_static("sec-fetch-site, origin");

/// What the check says of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing to judge: the method changes nothing (GET, HEAD, OPTIONS, TRACE).
    Safe,
    /// Made by this site, by a trusted origin, or by the user in person.
    Own,
    /// Not shown to be made by this site.
    Refused(Why),
}

/// Why a request was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// `Sec-Fetch-Site` says that another site made it.
    #[error("another site made the request")]
    CrossSite,
    /// `Sec-Fetch-Site` says that another origin of the same site made it.
    #[error("a neighbouring host made the request and is not among the trusted origins")]
    SameSite,
    /// `Sec-Fetch-Site: none`, yet not a navigation: no user typed this.
    #[error("the request claims to come from the user and is no navigation")]
    NotNavigation,
    /// `Origin` is another one, is `null`, or comes more than once.
    #[error("the request's origin is neither this one nor a trusted one")]
    ForeignOrigin,
    /// `Referer` is a page of another origin.
    #[error("the request's referer is neither of this origin nor of a trusted one")]
    ForeignReferer,
    /// Neither `Sec-Fetch-Site` nor `Origin` nor `Referer` is there.
    #[error("nothing tells where the request was made; a program may send an Origin header")]
    NoEvidence,
}

/// Judges requests that may change something.
///
/// In this order, and the first that is there decides: `Sec-Fetch-Site`, `Origin`, `Referer`;
/// nothing there is refused. The own origin is what `Host` (HTTP/2: `:authority`) names; where a
/// proxy changes it, the public origin belongs among the trusted ones. A WebSocket handshake is a
/// GET that opens a door, so it is judged too, except that one without any evidence passes: only
/// programs send that, browsers always tell their origin.
///
/// # Security
/// Answers cross-site request forgery and cross-site WebSocket hijacking, as the OWASP CSRF
/// Prevention Cheat Sheet has it under Fetch Metadata.
#[derive(Clone, Debug, Default)]
pub struct SiteCheck {
    trusted: Vec<Origin>,
    is_https_only: bool,
}

impl SiteCheck {
    /// Trusts these origins (`https://app.example`) beside the own one. A text that is not an
    /// origin is trusted by nobody.
    pub fn new<S: AsRef<str>>(trusted: impl IntoIterator<Item = S>) -> Self {
        let trusted = trusted.into_iter().filter_map(|text| Origin::parse(text.as_ref()));
        Self { trusted: trusted.collect(), is_https_only: false }
    }

    /// Takes the own origin for own only over https, save on a loopback name: right wherever the
    /// session cookie is `Secure`.
    #[must_use]
    pub const fn https_only(mut self, yes: bool) -> Self {
        self.is_https_only = yes;
        self
    }

    /// Judges a request by its head.
    pub fn judge(&self, head: &Parts) -> Verdict {
        let opens_a_door = head.method == Method::GET && head.headers.contains_key(UPGRADE);
        if !changes_something(&head.method) && !opens_a_door {
            return Verdict::Safe;
        }
        match self.evidence(head) {
            Ok(()) => Verdict::Own,
            Err(Why::NoEvidence) if is_handshake(&head.method) => Verdict::Own,
            Err(why) => Verdict::Refused(why),
        }
    }

    fn evidence(&self, head: &Parts) -> Result<(), Why> {
        match only(&head.headers, &SEC_FETCH_SITE) {
            Some(b"same-origin") => Ok(()),
            Some(b"none") => by_user(&head.headers),
            Some(b"same-site") => self.by_trusted(&head.headers, Why::SameSite),
            Some(b"cross-site") => self.by_trusted(&head.headers, Why::CrossSite),
            _ => self.by_origin(head),
        }
    }

    fn by_trusted(&self, headers: &HeaderMap, why: Why) -> Result<(), Why> {
        let origin = only(headers, &ORIGIN).and_then(parse);
        origin.filter(|origin| self.trusted.contains(origin)).map(drop).ok_or(why)
    }

    fn by_origin(&self, head: &Parts) -> Result<(), Why> {
        if !head.headers.contains_key(ORIGIN) {
            return self.by_referer(head);
        }
        let origin = only(&head.headers, &ORIGIN).and_then(parse);
        self.is_own(origin, head).then_some(()).ok_or(Why::ForeignOrigin)
    }

    fn by_referer(&self, head: &Parts) -> Result<(), Why> {
        if !head.headers.contains_key(REFERER) {
            return Err(Why::NoEvidence);
        }
        let page = only(&head.headers, &REFERER).and_then(|page| std::str::from_utf8(page).ok());
        let origin = page.and_then(Origin::of_page);
        self.is_own(origin, head).then_some(()).ok_or(Why::ForeignReferer)
    }

    fn is_own(&self, origin: Option<Origin>, head: &Parts) -> bool {
        let Some(origin) = origin else { return false };
        let scheme_fits = origin.is_https() || !self.is_https_only || origin.is_loopback();
        let is_here = host(head).is_some_and(|host| origin.is_at(host));
        (scheme_fits && is_here) || self.trusted.contains(&origin)
    }
}

/// Whether requests of this method may change something (RFC 9110 §9.2.1 calls the others safe).
pub(crate) const fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// A GET that asks for another protocol; over HTTP/2 an extended CONNECT.
fn is_handshake(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::CONNECT)
}

fn by_user(headers: &HeaderMap) -> Result<(), Why> {
    match only(headers, &SEC_FETCH_MODE) {
        Some(b"navigate") => Ok(()),
        _ => Err(Why::NotNavigation),
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

fn parse(text: &[u8]) -> Option<Origin> {
    Origin::parse(std::str::from_utf8(text).ok()?)
}

fn host(head: &Parts) -> Option<&str> {
    match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => std::str::from_utf8(only(&head.headers, &http::header::HOST)?).ok(),
    }
}

#[cfg(test)]
mod tests;
