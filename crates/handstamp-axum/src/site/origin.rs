//! An origin: scheme, host and port.

/// `https://shop.example:8443`, in lower case, without the scheme's own port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    scheme: Scheme,
    host: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn default_port(self) -> &'static str {
        match self {
            Self::Http => ":80",
            Self::Https => ":443",
        }
    }
}

impl Origin {
    /// Reads what browsers send as `Origin`: scheme and host, nothing behind.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, host) = split_scheme(text)?;
        is_host(host).then(|| Self { scheme, host: plain_host(scheme, host) })
    }

    /// The origin of the page at `url`.
    pub(super) fn of_page(url: &str) -> Option<Self> {
        let (_, after) = split_scheme(url)?;
        let host = after.split(['/', '?', '#']).next().unwrap_or_default();
        Self::parse(url.get(..url.len() - after.len() + host.len())?)
    }

    pub(super) fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Whether the host is this machine by a name that never leaves it.
    pub(super) fn is_loopback(&self) -> bool {
        let name = without_port(&self.host);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
    }

    /// Whether this is the origin of a site that answers at `host`, over its scheme.
    pub(super) fn is_at(&self, host: &str) -> bool {
        is_host(host) && plain_host(self.scheme, host) == self.host
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let https = text.strip_prefix("https://").map(|rest| (Scheme::Https, rest));
    https.or_else(|| text.strip_prefix("http://").map(|rest| (Scheme::Http, rest)))
}

fn is_host(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !without_port(host).is_empty() && host.len() <= 262 && host.bytes().all(fits)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn plain_host(scheme: Scheme, host: &str) -> String {
    host.strip_suffix(scheme.default_port()).unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::Origin;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).expect(text)
    }

    #[test]
    fn the_schemes_own_port_and_case_make_no_difference() {
        assert_eq!(origin("https://shop.example:443"), origin("https://SHOP.example"));
        assert_ne!(origin("https://shop.example:80"), origin("https://shop.example"));
        assert_ne!(origin("http://shop.example"), origin("https://shop.example"));
        assert!(origin("https://shop.example").is_at("Shop.example:443"));
        assert!(!origin("https://shop.example").is_at("shop.example:8443"));
        assert!(origin("http://[::1]:8080").is_at("[::1]:8080"));
    }

    #[test]
    fn what_is_not_an_origin_is_none() {
        for bad in [
            "",
            "null",
            "https://",
            "https://:443",
            "shop.example",
            "ftp://shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://user@shop.example",
            "https://shop.example https://evil.example",
            "https://shop.example,evil.example",
            "https://shop.example\\.evil.example",
            "https://shöp.example",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_page_has_the_origin_before_its_path() {
        let shop = Some(origin("https://shop.example"));
        for page in ["", "/", "/a?b#c", "?b", "#c", "/https://evil.example"] {
            assert_eq!(Origin::of_page(&format!("https://shop.example{page}")), shop);
        }
        for bad in ["", "about:blank", "https:///a", "https://shop.example@evil.example/"] {
            assert_eq!(Origin::of_page(bad), None, "{bad:?}");
        }
        assert_ne!(Origin::of_page("https://shop.example.evil.example/"), shop);
    }

    #[test]
    fn loopback_is_known_by_its_names() {
        for name in ["localhost", "localhost:3000", "shop.localhost", "127.0.0.1:1", "[::1]:1"] {
            assert!(origin(&format!("http://{name}")).is_loopback(), "{name}");
        }
        for name in ["localhost.evil.example", "127.0.0.1.evil.example", "evillocalhost"] {
            assert!(!origin(&format!("http://{name}")).is_loopback(), "{name}");
        }
    }
}
