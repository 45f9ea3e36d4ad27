//! Writing one `Set-Cookie` line.

use std::fmt::Write;
use std::time::Duration;

use handstamp_core::config::CookieSettings;
use handstamp_core::time::Timestamp;
use handstamp_core::{Begun, SessionConfig};
use http::HeaderValue;

/// One cookie to be set, or removed.
#[derive(Clone, Copy, Debug)]
pub struct SetCookie<'a> {
    /// Its name, a token of RFC 9110.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
    /// `Path`.
    pub path: &'a str,
    /// How long the browser keeps it; `None`: until the browser is closed.
    pub max_age: Option<Duration>,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Secure`.
    pub secure: bool,
    /// `SameSite`: "Strict", "Lax" or "None".
    pub same_site: &'static str,
}

/// The cookie is one that browsers would drop or misread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is empty or not a token.
    #[error("a cookie's name is a token of letters, digits and !#$%&'*+-.^_`|~")]
    Name,
    /// The value holds a control character, space, quote, comma, semicolon or backslash.
    #[error("a cookie's value holds no space, control character, quote, comma or backslash")]
    Value,
    /// The path does not begin with `/`, is longer than 1024 bytes, or holds a semicolon or
    /// control character.
    #[error("a cookie's path begins with / and holds no semicolon or control character")]
    Path,
    /// Name and value together have more than 4096 bytes.
    #[error("name and value of a cookie come to {size} bytes; browsers keep 4096")]
    TooLarge {
        /// Bytes that they have.
        size: usize,
    },
}

impl<'a> SetCookie<'a> {
    /// A cookie with the attributes that the configuration asks for.
    pub fn of(
        settings: &'a CookieSettings,
        name: &'a str,
        value: &'a str,
        max_age: Option<Duration>,
    ) -> Self {
        Self {
            name,
            value,
            path: &settings.path,
            max_age,
            http_only: settings.http_only,
            secure: settings.secure,
            same_site: settings.same_site.as_str(),
        }
    }
}

/// The `Set-Cookie` value of a session that was begun outside any request of its browser, for
/// whoever hands it on. `now` tells how much is left of a remembered one.
///
/// # Errors
/// [`CookieError`] when the configured cookie is one that browsers would drop.
///
/// # Security
/// The value is the session's token: it belongs to the browser it is for, and into no log.
pub fn session_cookie(
    config: &SessionConfig,
    begun: &Begun,
    now: Timestamp,
) -> Result<HeaderValue, CookieError> {
    let left = begun.record.absolute_expiry.since(now);
    let (name, value) = (&config.cookie().name, begun.token.to_text());
    SetCookie::of(config.cookie(), name, &value, begun.record.is_remembered.then_some(left))
        .to_header()
}

/// The `Set-Cookie` value that takes the session cookie out of a browser, for whoever hands it on.
///
/// # Errors
/// [`CookieError`] when the configured cookie is one that browsers would drop.
pub fn removed_session_cookie(config: &SessionConfig) -> Result<HeaderValue, CookieError> {
    let settings = config.cookie();
    SetCookie::of(settings, &settings.name, "", None).removal().to_header()
}

impl SetCookie<'_> {
    /// The most that browsers keep of name and value together, in bytes (RFC 6265bis §5.6).
    pub const MAX_LEN: usize = 4096;
    /// The longest `Max-Age`: 400 days, in seconds (RFC 6265bis §5.5).
    pub const MAX_AGE: u64 = 34_560_000;

    /// The same cookie as one that takes itself away: no value, `Max-Age=0`, everything else
    /// equal, since a browser removes only what has the same name and path.
    #[must_use]
    pub const fn removal(self) -> Self {
        Self { value: "", max_age: Some(Duration::ZERO), ..self }
    }

    /// The value of the `Set-Cookie` header, by the grammar of RFC 6265bis §4.1.1. A longer
    /// `Max-Age` is cut to [`SetCookie::MAX_AGE`].
    ///
    /// # Errors
    /// [`CookieError`] says which part browsers would not take; retrying never helps.
    pub fn to_header(&self) -> Result<HeaderValue, CookieError> {
        self.check()?;
        HeaderValue::try_from(self.text()).map_err(|_| CookieError::Value)
    }

    fn check(&self) -> Result<(), CookieError> {
        let size = self.name.len() + self.value.len();
        if self.name.is_empty() || !self.name.bytes().all(is_token) {
            Err(CookieError::Name)
        } else if !self.value.bytes().all(is_cookie_octet) {
            Err(CookieError::Value)
        } else if !is_path(self.path) {
            Err(CookieError::Path)
        } else if size > Self::MAX_LEN {
            Err(CookieError::TooLarge { size })
        } else {
            Ok(())
        }
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(self.name.len() + self.value.len() + 96);
        text.extend([self.name, "=", self.value, "; Path=", self.path]);
        if let Some(age) = self.max_age {
            let _ = write!(text, "; Max-Age={}", age.as_secs().min(Self::MAX_AGE));
        }
        if self.http_only {
            text.push_str("; HttpOnly");
        }
        if self.secure {
            text.push_str("; Secure");
        }
        text.extend(["; SameSite=", self.same_site]);
        text
    }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

fn is_path(path: &str) -> bool {
    let plain = path.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b';');
    plain && path.starts_with('/') && path.len() <= 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SetCookie<'static> = SetCookie {
        name: "__Host-handstamp",
        value: "abc",
        path: "/",
        max_age: None,
        http_only: true,
        secure: true,
        same_site: "Lax",
    };

    fn text(cookie: SetCookie<'_>) -> String {
        cookie.to_header().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn s13_a_session_cookie_has_host_prefix_secure_and_path_and_no_domain() {
        assert_eq!(
            text(SESSION),
            "__Host-handstamp=abc; Path=/; HttpOnly; Secure; SameSite=Lax",
            "and no Max-Age: it goes with the browser"
        );
    }

    #[tokio::test]
    async fn a_cookie_for_a_session_begun_elsewhere_is_the_one_the_layer_would_set() {
        let config = SessionConfig::default();
        let keys = handstamp_core::KeyRing::generate().unwrap();
        let store = handstamp_core::store::MemoryStore::new();
        let sessions = handstamp_core::SessionManager::new(store, config.clone(), keys);
        let sign_in = handstamp_core::SignIn::new("ada").unwrap();
        for (remember, age) in [(false, ""), (true, "; Max-Age=2592000")] {
            let begun = sessions.begin(sign_in.clone().remember(remember)).await.unwrap();
            let set = session_cookie(&config, &begun, begun.record.created_at).unwrap();
            let value = begun.token.to_text();
            let expected =
                format!("__Host-handstamp={}; Path=/{age}; HttpOnly; Secure; SameSite=Lax", *value);
            assert_eq!(set, *expected);
        }
        assert_eq!(
            removed_session_cookie(&config).unwrap(),
            "__Host-handstamp=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
        );
    }

    #[test]
    fn a_remembered_cookie_says_for_how_long() {
        let kept = SetCookie { max_age: Some(Duration::from_millis(1_999)), ..SESSION };
        assert!(text(kept).contains("; Max-Age=1;"), "{}", text(kept));
    }

    #[test]
    fn s21_max_age_is_never_above_400_days() {
        for age in [Duration::from_secs(34_560_001), Duration::MAX] {
            let kept = SetCookie { max_age: Some(age), ..SESSION };
            assert!(text(kept).contains("; Max-Age=34560000;"));
        }
    }

    #[test]
    fn s21_removal_repeats_name_and_path_with_max_age_0() {
        let elsewhere = SetCookie { path: "/shop", ..SESSION };
        assert_eq!(
            text(elsewhere.removal()),
            "__Host-handstamp=; Path=/shop; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
        );
    }

    #[test]
    fn s16_name_and_value_have_at_most_4096_bytes() {
        let fits = "v".repeat(4096 - SESSION.name.len());
        assert!(SetCookie { value: &fits, ..SESSION }.to_header().is_ok());
        let over = fits + "v";
        let refused = SetCookie { value: &over, ..SESSION }.to_header();
        assert_eq!(refused, Err(CookieError::TooLarge { size: 4097 }));
    }

    #[test]
    fn what_would_break_the_line_is_refused() {
        for value in ["a b", "a;b", "a,b", "a\"b", "a\\b", "a\r\nSet-Cookie: x=y", "a\0", "é"] {
            let refused = SetCookie { value, ..SESSION }.to_header();
            assert_eq!(refused, Err(CookieError::Value), "{value:?}");
        }
        for name in ["", "a b", "a=b", "a;b", "a\r\n", "é", "(a)"] {
            let refused = SetCookie { name, ..SESSION }.to_header();
            assert_eq!(refused, Err(CookieError::Name), "{name:?}");
        }
        for path in ["", "shop", "/a;b", "/a\r\nb", "/é"] {
            let refused = SetCookie { path, ..SESSION }.to_header();
            assert_eq!(refused, Err(CookieError::Path), "{path:?}");
        }
    }

    /// Numbers that look random and are the same in every run (xorshift64*).
    struct Seeded(u64);

    impl Seeded {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
            usize::try_from(number).unwrap() % bound
        }

        fn text(&mut self, longest: usize) -> String {
            let length = self.below(longest + 1);
            (0..length).map(|_| char::from(u8::try_from(self.below(128)).unwrap())).collect()
        }
    }

    /// The grammar of RFC 6265bis §4.1.1, written down anew: what a strict reader takes.
    fn is_strict(line: &str) -> bool {
        let mut parts = line.split("; ");
        let first = parts.next().and_then(|pair| pair.split_once('='));
        let Some((name, value)) = first else { return false };
        let separators = "()<>@,;:\\\"/[]?={} \t";
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_graphic() && !separators.contains(c));
        let is_value = value.chars().all(|c| c.is_ascii_graphic() && !"\",;\\".contains(c));
        let mut seen = Vec::new();
        is_name && is_value && parts.all(|part| is_attribute(part, &mut seen))
    }

    fn is_attribute(part: &str, seen: &mut Vec<String>) -> bool {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let fits = match key {
            "Path" => value.starts_with('/') && !value.contains([';', '\r', '\n', '\0']),
            "Max-Age" => value.parse::<u64>().is_ok_and(|age| age <= 34_560_000),
            "HttpOnly" | "Secure" => part == key,
            "SameSite" => ["Strict", "Lax", "None"].contains(&value),
            _ => false,
        };
        let is_new = !seen.contains(&key.to_owned());
        seen.push(key.to_owned());
        fits && is_new && part.len() <= 1024 + 5
    }

    #[test]
    fn s17_whatever_is_written_matches_the_grammar() {
        let mut random = Seeded(0x5eed);
        let mut written = 0;
        for round in 0..20_000 {
            let (name, value, path) = (random.text(3), random.text(4), random.text(3));
            let cookie = SetCookie {
                name: if round % 2 == 0 { &name } else { "sid" },
                value: &value,
                path: if round % 3 == 0 { &format!("/{path}") } else { "/" },
                max_age: (round % 5 == 0).then(|| Duration::from_secs(1 << random.below(40))),
                http_only: random.below(2) == 0,
                secure: random.below(2) == 0,
                same_site: ["Strict", "Lax", "None"][random.below(3)],
            };
            if let Ok(header) = cookie.to_header() {
                written += 1;
                assert!(is_strict(header.to_str().unwrap()), "round {round}: {header:?}");
            }
        }
        assert!(written > 2_000, "only {written} were written");
    }

    #[test]
    fn s17_the_strict_reader_does_refuse() {
        for bad in ["", "=v", "a", "a=v; Path=x", "a=v; Secure; Secure", "a=v;Path=/", "a=b c"] {
            assert!(!is_strict(bad), "{bad:?}");
        }
    }
}
