//! Where to go back to after signing in: a path of this site, and nothing else.

use std::fmt;

use http::uri::PathAndQuery;
use serde::{Deserialize, Deserializer};

/// A path of this site that is safe to redirect to.
///
/// Guards put it into the query of the sign-in page as `return_to`; the sign-in handler takes it
/// back as a field of a query or form. Read by serde, anything that is not such a path becomes
/// `/`, which is also the default: a bad link leads home, not into an error.
///
/// # Security
/// Answers open redirects: no other host can be named (`//evil.example`, `/\evil.example`,
/// `https:…`), no header broken (CR, LF), and no proxy that decodes once more sees another path
/// than was checked (`%2f`, `%5c`, `%25` and encoded control characters in the path are refused).
/// OWASP Unvalidated Redirects and Forwards Cheat Sheet.
///
/// ```
/// use handstamp_axum::ReturnTo;
///
/// assert!(ReturnTo::new("/basket?step=2").is_some());
/// assert!(ReturnTo::new("//evil.example").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnTo(Box<str>);

impl ReturnTo {
    /// The longest path with its query, in bytes.
    pub const MAX_LEN: usize = 2048;
    /// The name it has in queries and forms.
    pub const FIELD: &'static str = "return_to";

    /// Takes `text` if it is a path of this site.
    pub fn new(text: &str) -> Option<Self> {
        is_local(text).then(|| Self(text.into()))
    }

    /// The path, its query included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `page?return_to=<where>`: the address of a sign-in page that is to lead back to `to`. Where
    /// that is no safe path, the page alone.
    pub(crate) fn link(page: &str, to: Option<&PathAndQuery>) -> String {
        let Some(to) = to.map(PathAndQuery::as_str).filter(|to| is_local(to)) else {
            return page.to_owned();
        };
        let mark = if page.contains('?') { '&' } else { '?' };
        let mut link = format!("{page}{mark}{}=", Self::FIELD);
        link.extend(form_urlencoded::byte_serialize(to.as_bytes()));
        link
    }
}

impl Default for ReturnTo {
    fn default() -> Self {
        Self("/".into())
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ReturnTo {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ReturnTo {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Ok(Self::new(&text).unwrap_or_default())
    }
}

fn is_local(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    text.len() <= ReturnTo::MAX_LEN
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && path.starts_with('/')
        && !path.contains("//")
        && !hides_something(path)
}

/// Whether a percent sign in `path` stands for something that changes its meaning once decoded:
/// a slash, a backslash, a percent sign, a control character; or stands for nothing.
fn hides_something(path: &str) -> bool {
    path.split('%').skip(1).any(|after| {
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        code.is_none_or(|byte| byte.is_ascii_control() || matches!(byte, b'/' | b'\\' | b'%'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_site_are_taken() {
        for good in [
            "/",
            "/a",
            "/a/b/",
            "/a?b=c&d=e",
            "/a?u=https%3A%2F%2Fb.example%2F",
            "/a?x=//y",
            "/a#part",
            "/a%20b",
            "/caf%C3%A9",
            "/a/../b",
            "/@name",
            "/a:b",
        ] {
            assert_eq!(ReturnTo::new(good).expect(good).as_str(), good);
        }
    }

    #[test]
    fn nothing_that_leads_elsewhere_is_taken() {
        for bad in [
            "",
            "a",
            "?a",
            "#a",
            "//evil.example",
            "///evil.example",
            "/a//b",
            "/.//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/a?\\",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            " /a",
            "/a b",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a\r\nSet-Cookie: x=y",
            "/a\0",
            "/\u{7f}",
            "/\u{2028}",
            "/é",
            "/%2f%2fevil.example",
            "/%2Fevil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "/%252fevil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:x",
            "/%00",
            "/%7f",
            "/%",
            "/%2",
            "/%zz",
            "/%+f",
            "/%é",
        ] {
            assert_eq!(ReturnTo::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_path_has_at_most_2048_bytes() {
        assert!(ReturnTo::new(&format!("/{}", "a".repeat(2047))).is_some());
        assert!(ReturnTo::new(&format!("/{}", "a".repeat(2048))).is_none());
    }

    #[test]
    fn a_link_carries_the_way_back_encoded() {
        let to = PathAndQuery::from_static("/a?b=c&d=%20");
        assert_eq!(
            ReturnTo::link("/login", Some(&to)),
            "/login?return_to=%2Fa%3Fb%3Dc%26d%3D%2520"
        );
        assert!(ReturnTo::link("/login?x=1", Some(&to)).starts_with("/login?x=1&return_to=%2Fa"));
    }

    #[test]
    fn a_request_for_a_hostile_path_gives_a_link_without_a_way_back() {
        let to = PathAndQuery::from_static("//evil.example/x");
        assert_eq!(ReturnTo::link("/login", Some(&to)), "/login");
        assert_eq!(ReturnTo::link("/login", None), "/login");
    }

    #[test]
    fn a_bad_field_leads_home() {
        #[derive(Deserialize)]
        struct Query {
            #[serde(default)]
            return_to: ReturnTo,
        }
        let read = |text| serde_html_form::from_str::<Query>(text).unwrap().return_to.to_string();
        assert_eq!(read("return_to=%2Fa%3Fb"), "/a?b");
        assert_eq!(read("return_to=%2F%2Fevil.example"), "/");
        assert_eq!(read(""), "/");
    }
}
