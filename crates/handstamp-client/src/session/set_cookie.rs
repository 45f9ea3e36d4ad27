//! What of a `Set-Cookie` is taken: RFC 6265, and what RFC 6265bis adds against cookies that were
//! planted.

use url::{Host, Url};

/// No name and value are longer together, in bytes (RFC 6265bis, 5.7).
const LONGEST: usize = 4096;
/// No `Set-Cookie` is longer, in bytes: there is a path in it too.
const LONGEST_TEXT: usize = 2 * LONGEST;

/// The `Set-Cookie` without its `Domain`; none if it is not to be taken.
pub(super) fn taken(text: &str, url: &Url) -> Option<String> {
    let mut parts = text.split(';');
    let pair = parts.next().unwrap_or_default();
    if pair.len() > LONGEST || text.len() > LONGEST_TEXT {
        return None;
    }
    let attributes: Vec<_> = parts.map(attribute).collect();
    if attributes.iter().any(|it| it.is("domain") && !is_own(it.value, url)) {
        return None;
    }
    if !is_what_its_name_says(pair.trim_start(), &attributes, url) {
        return None;
    }
    let rest = attributes.iter().filter(|it| !it.is("domain")).map(|it| it.text);
    Some(std::iter::once(pair).chain(rest).collect::<Vec<_>>().join(";"))
}

struct Attribute<'a> {
    text: &'a str,
    name: &'a str,
    value: &'a str,
}

impl Attribute<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

fn attribute(text: &str) -> Attribute<'_> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Attribute { text, name: name.trim(), value: value.trim() }
}

/// Whether a host may speak for a domain (RFC 6265, 5.1.3). One that is empty is none.
fn is_own(domain: &str, url: &Url) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    let host = url.host_str().unwrap_or_default();
    let is_within = || {
        let before = host.strip_suffix(&domain);
        matches!(url.host(), Some(Host::Domain(_))) && before.is_some_and(|it| it.ends_with('.'))
    };
    domain.is_empty() || host == domain || is_within()
}

/// `__Secure-` and `__Host-` are promises (RFC 6265bis, 4.1.3), in whatever case they come.
fn is_what_its_name_says(pair: &str, attributes: &[Attribute<'_>], url: &Url) -> bool {
    let has = |prefix: &str| {
        pair.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_secure = url.scheme() == "https" && attributes.iter().any(|it| it.is("secure"));
    let last_path = attributes.iter().rfind(|it| it.is("path"));
    let is_of_host = last_path.is_some_and(|it| it.value == "/")
        && !attributes.iter().any(|it| it.is("domain") && !it.value.is_empty());
    match () {
        () if has("__Host-") => is_secure && is_of_host,
        () if has("__Secure-") => is_secure,
        () => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(text: &str, from: &str) -> bool {
        taken(text, &from.parse().unwrap()).is_some()
    }

    #[test]
    fn a05_a_prefix_that_is_not_kept_makes_it_no_cookie() {
        for good in [
            "__Secure-a=1; Secure; Path=/x",
            "__Host-a=1; Secure; Path=/",
            "__Host-a=1;path=/;SECURE; HttpOnly",
            "a__Host-=1; Path=/x",
        ] {
            assert!(is_taken(good, "https://a.test/"), "{good}");
        }
        for bad in [
            "__Secure-a=1; Path=/",
            "__Host-a=1; Path=/",
            "__Host-a=1; Secure; Path=/x",
            "__Host-a=1; Secure",
            "__Host-a=1; Secure; Path=/; Path=/x",
            "__Host-a=1; Secure; Path=/; Domain=a.test",
            "__host-a=1; Path=/",
            " __SECURE-a=1",
        ] {
            assert!(!is_taken(bad, "https://a.test/"), "{bad}");
        }
        assert!(!is_taken("__Secure-a=1; Secure", "http://a.test/"));
    }

    #[test]
    fn a05_a_cookie_for_another_domain_is_none() {
        for domain in ["a.b.test", ".b.test", "B.TEST", "test", ""] {
            assert!(is_taken(&format!("a=1; Domain={domain}"), "https://a.b.test/"), "{domain}");
        }
        for domain in ["evil.test", "x.a.b.test", "bb.test", "0.0.1", "."] {
            let text = format!("a=1; domain = {domain}; Path=/");
            assert_eq!(is_taken(&text, "https://a.b.test/"), domain == ".", "{domain}");
        }
        assert!(!is_taken("a=1; Domain=0.0.1", "http://127.0.0.1/"));
        assert!(!is_taken("a=1; Domain=a.test; Domain=evil.test", "https://a.test/"));
    }

    #[test]
    fn a05_the_domain_is_left_out_and_the_rest_stays() {
        let url = "https://a.test/".parse().unwrap();
        let text = taken("a=b=c; Domain=a.test; Path=/; Secure", &url).unwrap();
        assert_eq!(text, "a=b=c; Path=/; Secure");
    }

    #[test]
    fn a05_what_is_too_long_is_no_cookie() {
        let pair = |length: usize| format!("a={}", "v".repeat(length - 2));
        assert!(is_taken(&pair(LONGEST), "https://a.test/"));
        assert!(!is_taken(&pair(LONGEST + 1), "https://a.test/"));
        assert!(!is_taken(&format!("a=1; Path=/{}", "p".repeat(9000)), "https://a.test/"));
    }
}
