//! How a request came to the proxy that asks about it: for forward-auth.

use http::header::HeaderName;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Uri};

const METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];

const URIS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-uri"), HeaderName::from_static("x-original-uri")];

const HOSTS: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-host")];

const SCHEMES: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-proto")];

/// What a trusted proxy tells of the request that it asks about. What it does not tell is `None`,
/// and must be taken for the worst: an unknown method for an unsafe one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Original {
    /// `X-Forwarded-Method`, or nginx's `X-Original-Method`.
    pub method: Option<Method>,
    /// `X-Forwarded-Uri`, or nginx's `X-Original-URI`: path and query.
    pub uri: Option<Uri>,
    /// `X-Forwarded-Host`, with a port if it has one.
    pub host: Option<Authority>,
    /// `X-Forwarded-Proto`.
    pub scheme: Option<Scheme>,
}

/// How the request came to the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// What a proxy tells of the original request cannot be used. The request must be refused;
/// retrying does not help, the proxy's configuration has to change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OriginalError {
    /// Two values where one is told: one of them may be from the client.
    #[error("the proxy tells two different values of the original {0}")]
    Contradictory(&'static str),
    /// Not a method, path, host or scheme.
    #[error("the proxy's original {0} cannot be read")]
    Unreadable(&'static str),
}

impl Original {
    /// Reads the headers of a trusted proxy.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, OriginalError> {
        Ok(Self {
            method: told(headers, &METHODS, "method", method)?,
            uri: told(headers, &URIS, "path", path)?,
            host: told(headers, &HOSTS, "host", host)?,
            scheme: told(headers, &SCHEMES, "scheme", scheme)?,
        })
    }
}

/// The one value that these headers tell, however often they repeat it.
///
/// A proxy that sets one of two names lets a client send the other through, so a value under the
/// other name is a contradiction rather than a choice.
fn told<T: PartialEq>(
    headers: &HeaderMap,
    names: &[HeaderName],
    what: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, OriginalError> {
    let mut told: Option<T> = None;
    for value in names.iter().flat_map(|name| headers.get_all(name)) {
        let text = HeaderValue::to_str(value).ok();
        let value = text.and_then(&read).ok_or(OriginalError::Unreadable(what))?;
        if told.as_ref().is_some_and(|before| *before != value) {
            return Err(OriginalError::Contradictory(what));
        }
        told = Some(value);
    }
    Ok(told)
}

fn method(text: &str) -> Option<Method> {
    text.parse().ok()
}

fn path(text: &str) -> Option<Uri> {
    text.parse().ok().filter(|uri: &Uri| uri.authority().is_none() && text.starts_with('/'))
}

fn host(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|host: &Authority| !host.as_str().contains('@'))
}

/// Traefik calls the schemes of WebSockets by their own names.
fn scheme(text: &str) -> Option<Scheme> {
    match text.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(Scheme::Http),
        "https" | "wss" => Some(Scheme::Https),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::client::TrustedProxies;

    const PROXY: &str = "10.0.0.1";

    fn asked(peer: &str, lines: &[(&'static str, &str)]) -> Result<Original, OriginalError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let peer: IpAddr = peer.parse().unwrap();
        TrustedProxies::parse([PROXY]).unwrap().original(peer, &headers)
    }

    #[test]
    fn b13_what_traefik_and_caddy_tell_is_read() {
        let original = asked(
            PROXY,
            &[
                ("x-forwarded-method", "POST"),
                ("x-forwarded-proto", "wss"),
                ("x-forwarded-host", "shop.example:8443"),
                ("x-forwarded-uri", "/cart?item=1"),
            ],
        )
        .unwrap();
        assert_eq!(original.method, Some(Method::POST));
        assert_eq!(original.scheme, Some(Scheme::Https));
        assert_eq!(original.host.unwrap().as_str(), "shop.example:8443");
        assert_eq!(original.uri.unwrap().to_string(), "/cart?item=1");
    }

    #[test]
    fn b13_what_nginx_tells_is_read() {
        let lines = [("x-original-uri", "/a?b=%20"), ("x-original-method", "DELETE")];
        let original = asked(PROXY, &lines).unwrap();
        assert_eq!(original.method, Some(Method::DELETE));
        assert_eq!(original.uri.unwrap(), "/a?b=%20");
        assert_eq!((original.host, original.scheme), (None, None));
    }

    #[test]
    fn s96_a_peer_that_is_no_proxy_tells_nothing() {
        let lines = [("x-forwarded-method", "GET"), ("x-forwarded-proto", "https")];
        assert_eq!(asked("192.0.2.1", &lines), Ok(Original::default()));
        assert_eq!(asked("192.0.2.1", &[("x-original-uri", "nonsense")]), Ok(Original::default()));
    }

    #[test]
    fn s96_a_second_value_that_a_client_sent_along_is_refused() {
        let method = [("x-original-method", "POST"), ("x-forwarded-method", "GET")];
        assert_eq!(asked(PROXY, &method), Err(OriginalError::Contradictory("method")));
        let host = [("x-forwarded-host", "a.example"), ("x-forwarded-host", "b.example")];
        assert_eq!(asked(PROXY, &host), Err(OriginalError::Contradictory("host")));
        let same = [("x-original-method", "POST"), ("x-forwarded-method", "POST")];
        assert_eq!(asked(PROXY, &same).unwrap().method, Some(Method::POST));
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_left_out() {
        for (name, value, what) in [
            ("x-forwarded-method", "", "method"),
            ("x-forwarded-method", "GET POST", "method"),
            ("x-original-uri", "https://evil.example/", "path"),
            ("x-original-uri", "cart", "path"),
            ("x-forwarded-host", "user@shop.example", "host"),
            ("x-forwarded-host", "a.example, b.example", "host"),
            ("x-forwarded-proto", "gopher", "scheme"),
            ("x-forwarded-proto", "https, http", "scheme"),
        ] {
            let refused = asked(PROXY, &[(name, value)]);
            assert_eq!(refused, Err(OriginalError::Unreadable(what)), "{value}");
        }
    }
}
