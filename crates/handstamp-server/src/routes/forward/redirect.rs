//! Where somebody who is not signed in is sent.

use crate::client::{Original, Scheme};
use crate::service::Service;

/// What tells a sign-in page where to lead back to.
const RETURN_TO: &str = "return_to";

/// The longest address that is passed on to a sign-in page, in bytes.
const LONGEST: usize = 2_048;

/// Where to: what the proxy asks for, if its origin is on the list; without a wish the configured
/// sign-in page. Where a trusted proxy told what was asked for, `return_to` says it.
///
/// # Security
/// Answers open redirects: an origin is compared whole, as browsers write it.
pub(super) fn target(service: &Service, wish: Option<&str>, original: &Original) -> Option<String> {
    let forward = &service.settings.forward;
    let page = match wish {
        None => forward.sign_in_url.as_ref()?.as_str(),
        Some(wish) => {
            let origin = origin(wish).filter(|_| is_plain(wish));
            let is_allowed = |origin: &str| {
                forward.redirect_allow.iter().any(|allowed| allowed.as_str() == origin)
            };
            if !origin.is_some_and(is_allowed) {
                tracing::warn!(
                    "forward-auth: ?redirect= is of no origin in forward.redirect_allow"
                );
                return None;
            }
            wish
        }
    };
    Some(match asked_for(original).filter(|asked| asked.len() <= LONGEST) {
        Some(asked) if !page.contains('#') => {
            let mark = if page.contains('?') { '&' } else { '?' };
            let value: String = form_urlencoded::byte_serialize(asked.as_bytes()).collect();
            format!("{page}{mark}{RETURN_TO}={value}")
        }
        _ => page.to_owned(),
    })
}

/// The address of the original request, if it can be asked for again.
fn asked_for(original: &Original) -> Option<String> {
    let Original { method, uri, host, scheme } = original;
    let is_again = method.as_ref().is_some_and(|method| method.is_safe());
    let scheme = match scheme.filter(|_| is_again)? {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    Some(format!("{scheme}://{}{}", host.as_ref()?, uri.as_ref()?))
}

/// Scheme, host and port of an address, in lower case.
fn origin(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_web = matches!(scheme, "http" | "https");
    is_web.then(|| &address[..scheme.len() + 3 + end])
}

/// Whether every reader of a header sees the same address.
fn is_plain(address: &str) -> bool {
    address.len() <= LONGEST && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_whole() {
        for (address, expected) in [
            ("https://app.example/sign-in?x=1", Some("https://app.example")),
            ("https://app.example", Some("https://app.example")),
            ("https://app.example@evil.example/", Some("https://app.example@evil.example")),
            ("https://app.example.evil.example/", Some("https://app.example.evil.example")),
            ("https://app.example?@evil.example", Some("https://app.example")),
            ("//app.example/", None),
            ("javascript://app.example/%0aalert(1)", None),
            ("/sign-in", None),
        ] {
            assert_eq!(origin(address), expected, "{address}");
        }
        assert!(!is_plain("https://app.example\\@evil.example/"));
        assert!(!is_plain("https://app.example/\r\nset-cookie: a=b"));
    }

    #[test]
    fn only_what_can_be_asked_for_again_is_led_back_to() {
        let asked = |method: &str| Original {
            method: method.parse().ok(),
            uri: "/cart?item=1".parse().ok(),
            host: "shop.example".parse().ok(),
            scheme: Some(Scheme::Https),
        };
        assert_eq!(asked_for(&asked("GET")).as_deref(), Some("https://shop.example/cart?item=1"));
        assert_eq!(asked_for(&asked("POST")), None);
        assert_eq!(asked_for(&Original::default()), None);
    }
}
