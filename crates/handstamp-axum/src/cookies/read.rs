//! Finding cookies by name, without copying or allocating.

use http::HeaderMap;
use http::header::COOKIE;
use memchr::memchr;

/// What the `Cookie` lines of a request hold under one name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Found<'a> {
    /// Nothing.
    #[default]
    None,
    /// One value, as it was sent: perhaps empty, not text, or far too long.
    One(&'a [u8]),
    /// More than one, equal or not. Which of them is meant cannot be known, so none is.
    Several,
}

impl<'a> Found<'a> {
    /// Takes one more value into account.
    const fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::None => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

/// Finds the cookies called `names`, all in one pass over every `Cookie` line.
///
/// Names are compared exactly: `__host-a` is not `__Host-a`. Several lines are tolerated, as
/// HTTP/2 splits them. A value is handed out as sent, quotes included.
///
/// # Security
/// A browser also sends cookies that a neighbouring host planted; two of one name are
/// [`Found::Several`], never a guess by order (RFC 6265bis §4.2.2).
pub fn find<'a, const N: usize>(headers: &'a HeaderMap, names: [&str; N]) -> [Found<'a>; N] {
    let mut found = [Found::None; N];
    for line in headers.get_all(COOKIE) {
        scan(line.as_bytes(), &names, &mut found);
    }
    found
}

fn scan<'a, const N: usize>(line: &'a [u8], names: &[&str; N], found: &mut [Found<'a>; N]) {
    let mut rest = line;
    loop {
        let end = memchr(b';', rest).unwrap_or(rest.len());
        note(rest[..end].trim_ascii(), names, found);
        match rest.get(end + 1..) {
            Some(next) => rest = next,
            None => return,
        }
    }
}

fn note<'a, const N: usize>(pair: &'a [u8], names: &[&str; N], found: &mut [Found<'a>; N]) {
    for (name, found) in names.iter().zip(found) {
        if let Some(value) = value_of(pair, name.as_bytes()) {
            *found = found.and(value);
        }
    }
}

fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    pair.strip_prefix(name)?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const NAME: &str = "__Host-handstamp";

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    #[track_caller]
    fn check(lines: &[&[u8]], expected: Found<'_>) {
        assert_eq!(find(&headers(lines), [NAME])[0], expected, "{lines:?}");
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        check(&[b"__Host-handstamp=v"], Found::One(b"v"));
        check(&[b"a=1; __Host-handstamp=v; b=2"], Found::One(b"v"));
        check(&[b"a=1;__Host-handstamp=v"], Found::One(b"v"));
        check(&[b"  \t__Host-handstamp=v \t; ;;"], Found::One(b"v"));
        check(&[b"a=1", b"b=2; __Host-handstamp=v"], Found::One(b"v"));
    }

    #[test]
    fn s20_the_name_is_compared_exactly() {
        for line in [
            &b"__hOsT-handstamp=v"[..],
            b"__host-handstamp=v",
            b"__Host-Handstamp=v",
            b"__Host-handstampx=v",
            b"x__Host-handstamp=v",
            b"__Host-handstamp =v",
            b"__Host-handstamp",
            b"=__Host-handstamp=v",
            b"a=__Host-handstamp=v",
            b"handstamp=v",
        ] {
            check(&[line], Found::None);
        }
    }

    #[test]
    fn s09_two_of_one_name_are_several_even_if_equal() {
        check(&[b"__Host-handstamp=v; __Host-handstamp=v"], Found::Several);
        check(&[b"__Host-handstamp=v", b"__Host-handstamp=w"], Found::Several);
        check(&[b"__Host-handstamp=; __Host-handstamp="], Found::Several);
        check(&[b"__Host-handstamp=1;__Host-handstamp=2;__Host-handstamp=3"], Found::Several);
    }

    #[test]
    fn s08_hostile_values_come_back_as_they_are() {
        let long = [b"__Host-handstamp=".as_slice(), &[b'a'; 10_240]].concat();
        check(&[&long], Found::One(&[b'a'; 10_240]));
        check(&[b"__Host-handstamp="], Found::One(b""));
        check(&[b"__Host-handstamp=x"], Found::One(b"x"));
        check(&[b"__Host-handstamp=\xff\xfe"], Found::One(b"\xff\xfe"));
        check(&[b"__Host-handstamp=\"v\""], Found::One(b"\"v\""));
        check(&[b"__Host-handstamp=a=b=c"], Found::One(b"a=b=c"));
        check(&[b"__Host-handstamp='<script>"], Found::One(b"'<script>"));
    }

    #[test]
    fn s08_nul_and_crlf_never_get_into_a_header_at_all() {
        for bytes in [&b"__Host-handstamp=a\0b"[..], b"__Host-handstamp=a\r\nb"] {
            assert!(HeaderValue::from_bytes(bytes).is_err());
        }
    }

    #[test]
    fn without_cookies_there_is_nothing() {
        check(&[], Found::None);
        check(&[b""], Found::None);
        check(&[b";;; ;"], Found::None);
    }

    #[test]
    fn names_that_begin_alike_are_told_apart_in_one_pass() {
        let headers = headers(&[b"sid-pre=p; sid=s"]);
        assert_eq!(find(&headers, ["sid", "sid-pre"]), [Found::One(b"s"), Found::One(b"p")]);
    }

    #[test]
    fn a_thousand_cookies_are_no_trouble() {
        let many = "a=b; ".repeat(1000) + "__Host-handstamp=v";
        check(&[many.as_bytes()], Found::One(b"v"));
    }
}
