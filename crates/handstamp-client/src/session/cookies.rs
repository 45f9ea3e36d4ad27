//! Cookies of a session, each for the origin that set it and for no other.

use std::collections::BTreeMap;
use std::fmt;

use cookie_store::{Cookie, CookieStore, StoreAction};
use http::HeaderMap;
use http::header::SET_COOKIE;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::set_cookie;

/// The most cookies of one origin.
const MOST: usize = 50;

/// A jar for each origin: scheme, host and port.
///
/// Stricter than a browser: whatever `Domain` says, a cookie goes to the host that set it, over
/// the scheme and port that it came by, and one for a domain that is not its host's is none. Paths,
/// dates, `Max-Age` and deletions are as in RFC 6265, the prefixes `__Host-` and `__Secure-` as in
/// RFC 6265bis. A cookie of more than 4,096 bytes is none, nor is the fifty-first of an origin.
///
/// # Security
/// `Debug` shows origins and names, no values.
#[derive(Clone, Default)]
pub struct AuthCookies(BTreeMap<String, CookieStore>);

/// What one answer says about cookies: new ones, changed ones, deletions.
#[derive(Clone)]
pub struct CookieChanges {
    url: Url,
    set_cookie: Vec<String>,
}

impl AuthCookies {
    /// Reads the `Set-Cookie` headers of an answer that came from `url`. Values may hold `=`; what
    /// is no cookie is left out.
    pub fn parse_from_headers(url: &Url, headers: &HeaderMap) -> CookieChanges {
        let texts = headers.get_all(SET_COOKIE).iter();
        let set_cookie = texts.filter_map(|text| Some(text.to_str().ok()?.to_owned())).collect();
        CookieChanges { url: url.clone(), set_cookie }
    }

    /// The value of a `Cookie` header for a request to `url`; none if there is nothing to send.
    pub fn header(&self, url: &Url) -> Option<String> {
        let jar = self.0.get(&origin(url))?;
        let mut cookies = jar.matches(url);
        // Longer paths first, as RFC 6265 says; then by name, so that the order is one.
        cookies.sort_by_key(|cookie| {
            (std::cmp::Reverse(String::from(&cookie.path).len()), cookie.name().to_owned())
        });
        let pairs = cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value()));
        let pairs: Vec<_> = pairs.collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Whether there is a cookie that is not past its time.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|jar| jar.iter_unexpired().next().is_none())
    }

    /// Takes over what an answer says.
    pub fn apply(&mut self, changes: &CookieChanges) {
        let jar = self.0.entry(origin(&changes.url)).or_default();
        for text in &changes.set_cookie {
            if let Some(text) = set_cookie::taken(text, &changes.url) {
                take(jar, &text, &changes.url);
            }
        }
        if jar.iter_any().count() > MOST {
            *jar = jar_of(jar.iter_unexpired().cloned());
        }
    }
}

impl CookieChanges {
    /// Cookies to set by hand, as for an import.
    pub fn of_pairs<'a>(url: &Url, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| format!("{name}={value}; Path=/"));
        Self { url: url.clone(), set_cookie: pairs.collect() }
    }

    /// Whether the answer says nothing about cookies.
    pub fn is_empty(&self) -> bool {
        self.set_cookie.is_empty()
    }
}

/// Takes a cookie over, or a deletion, unless the jar is full.
fn take(jar: &mut CookieStore, text: &str, url: &Url) {
    let Ok(cookie) = Cookie::parse(text, url) else { return };
    let (domain, path) = (String::from(&cookie.domain), String::from(&cookie.path));
    let name = cookie.name().to_owned();
    // A deletion of what is not there is nothing to do.
    let is_new = matches!(jar.insert(cookie.into_owned(), url), Ok(StoreAction::Inserted));
    if is_new && jar.iter_unexpired().count() > MOST {
        jar.remove(&domain, &path, &name);
    }
}

fn jar_of(cookies: impl Iterator<Item = Cookie<'static>>) -> CookieStore {
    let cookies = cookies.map(Ok::<_, std::convert::Infallible>);
    let Ok(jar) = CookieStore::from_cookies(cookies, false);
    jar
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl fmt::Debug for AuthCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |jar: &CookieStore| -> Vec<String> {
            jar.iter_any().map(|cookie| cookie.name().to_owned()).collect()
        };
        f.debug_map().entries(self.0.iter().map(|(origin, jar)| (origin, names(jar)))).finish()
    }
}

impl fmt::Debug for CookieChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |text: &String| text.split('=').next().unwrap_or_default().to_owned();
        let names: Vec<_> = self.set_cookie.iter().map(name).collect();
        f.debug_struct("CookieChanges").field("names", &names).finish_non_exhaustive()
    }
}

impl Serialize for AuthCookies {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let live = |jar: &CookieStore| jar.iter_unexpired().cloned().collect::<Vec<_>>();
        to.collect_map(self.0.iter().map(|(origin, jar)| (origin, live(jar))))
    }
}

impl<'de> Deserialize<'de> for AuthCookies {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let jars = BTreeMap::<String, Vec<Cookie<'static>>>::deserialize(from)?;
        let jars = jars.into_iter().map(|(origin, cookies)| (origin, jar_of(cookies.into_iter())));
        Ok(Self(jars.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn answer(from: &str, texts: &[&str]) -> CookieChanges {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(SET_COOKIE, text.parse().unwrap());
        }
        AuthCookies::parse_from_headers(&url(from), &headers)
    }

    fn jar(from: &str, texts: &[&str]) -> AuthCookies {
        let mut cookies = AuthCookies::default();
        cookies.apply(&answer(from, texts));
        cookies
    }

    #[test]
    fn a05_a_value_may_hold_equals_signs() {
        let cookies = jar("https://api.example.com/", &["a=b=c==; Path=/"]);
        assert_eq!(cookies.header(&url("https://api.example.com/x")).unwrap(), "a=b=c==");
    }

    #[test]
    fn a05_cookies_are_merged_and_a_deletion_deletes() {
        let mut cookies = jar("https://api.example.com/", &["a=1; Path=/", "b=2; Path=/"]);
        cookies.apply(&answer("https://api.example.com/", &["b=3; Path=/", "c=4; Path=/"]));
        assert_eq!(cookies.header(&url("https://api.example.com/")).unwrap().len(), 13);
        let gone = ["a=; Path=/; Max-Age=0", "b=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"];
        cookies.apply(&answer("https://api.example.com/", &gone));
        assert_eq!(cookies.header(&url("https://api.example.com/")).unwrap(), "c=4");
        cookies.apply(&answer("https://api.example.com/", &["c=; Path=/; Max-Age=0"]));
        assert!(cookies.is_empty());
    }

    #[test]
    fn a05_a_cookie_goes_to_no_other_origin_whatever_its_domain_says() {
        let cookies = jar("https://api.example.com/", &["a=1; Path=/; Domain=example.com"]);
        assert!(cookies.header(&url("https://api.example.com/")).is_some());
        for other in [
            "https://example.com/",
            "https://www.example.com/",
            "https://evil.test/",
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://sub.api.example.com/",
        ] {
            assert_eq!(cookies.header(&url(other)), None, "{other}");
        }
    }

    #[test]
    fn a05_a_cookie_goes_to_its_path_only() {
        let cookies = jar("https://a.test/", &["a=1; Path=/in", "b=2; Path=/"]);
        assert_eq!(cookies.header(&url("https://a.test/out")).unwrap(), "b=2");
        assert!(cookies.header(&url("https://a.test/in/x")).unwrap().contains("a=1"));
    }

    #[test]
    fn a05_a_secure_cookie_never_goes_without_tls() {
        // Set in the clear it is none, and one that came over TLS is another origin's.
        let cookies = jar("http://a.test/", &["a=1; Path=/; Secure"]);
        assert_eq!(cookies.header(&url("http://a.test/")), None);
        let cookies = jar("https://a.test/", &["a=1; Path=/; Secure"]);
        assert_eq!(cookies.header(&url("http://a.test/")), None);
        assert!(cookies.header(&url("https://a.test/")).is_some());
    }

    #[test]
    fn a05_a_cookie_past_its_time_is_not_sent_also_after_a_restart() {
        let cookies =
            jar("https://a.test/", &["a=1; Path=/; Expires=Fri, 01 Jan 2999 00:00:00 GMT"]);
        assert!(cookies.header(&url("https://a.test/")).is_some());
        let text = serde_json::to_string(&cookies).unwrap();
        assert!(text.contains("2999"), "{text}");
        let back: AuthCookies = serde_json::from_str(&text.replace("2999", "1999")).unwrap();
        assert!(back.header(&url("https://a.test/")).is_none() && back.is_empty());
    }

    #[test]
    fn a05_an_origin_has_fifty_cookies_at_most_and_can_change_them() {
        let texts: Vec<_> = (0..2000).map(|it| format!("n{it}={it}; Path=/")).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let mut cookies = jar("https://a.test/", &texts);
        let url = url("https://a.test/");
        let count = |cookies: &AuthCookies| cookies.header(&url).unwrap().matches('=').count();
        assert_eq!(count(&cookies), MOST);
        cookies.apply(&answer("https://a.test/", &["n7=changed; Path=/", "late=1; Path=/"]));
        let header = cookies.header(&url).unwrap();
        assert!(header.contains("n7=changed") && !header.contains("late"), "{header}");
        cookies.apply(&answer("https://a.test/", &["n7=; Path=/; Max-Age=0", "late=1; Path=/"]));
        assert!(cookies.header(&url).unwrap().contains("late") && count(&cookies) == MOST);
        // What has gone leaves nothing behind, however often that happens.
        for round in 0..200 {
            let (set, delete) = (format!("r{round}=1"), format!("r{round}=1; Max-Age=0"));
            cookies.apply(&answer("https://a.test/", &["late=; Path=/; Max-Age=0", &set]));
            cookies.apply(&answer("https://a.test/", &[&delete]));
        }
        assert!(cookies.0.values().all(|jar| jar.iter_any().count() <= MOST + 1));
    }

    #[test]
    fn a05_a_cookie_that_breaks_its_promises_is_not_kept() {
        let planted = ["__Host-a=1; Path=/x", "__Secure-b=2; Path=/", "c=3; Path=/; Domain=b.test"];
        assert!(jar("https://a.test/", &planted).is_empty());
    }

    #[test]
    fn cookies_read_back_as_they_were_written() {
        let set = ["a=1; Path=/; Secure; HttpOnly; SameSite=Lax", "b=x=y; Max-Age=9999"];
        let cookies = jar("https://a.test:8443/in/", &set);
        let text = serde_json::to_string(&cookies).unwrap();
        let back: AuthCookies = serde_json::from_str(&text).unwrap();
        let url = url("https://a.test:8443/in/");
        assert_eq!(back.header(&url), cookies.header(&url));
        assert!(back.header(&url).unwrap().contains("b=x=y"), "{text}");
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let changes = answer("https://a.test/", &["name=v4lue; Path=/"]);
        let shown = format!("{:?} {changes:?}", jar("https://a.test/", &["name=v4lue; Path=/"]));
        assert!(shown.contains("name") && !shown.contains("v4lue"), "{shown}");
    }
}
