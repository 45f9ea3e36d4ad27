//! `Forwarded` (RFC 7239) and `X-Forwarded-For`, read from the right.
//!
//! From the right, because that is where the nearest proxy wrote. A list that was read from the
//! left could be swallowed by a quote that a client opened and never closed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The hops of `Forwarded`, nearest first; `None` where one is hidden or cannot be read. No such
/// header: `None`.
pub(super) fn forwarded(headers: &HeaderMap) -> Option<impl Iterator<Item = Option<IpAddr>>> {
    hops(headers, FORWARDED, last_element, |element| node(for_value(element)?.as_bytes()))
}

/// The hops of `X-Forwarded-For`, likewise.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> Option<impl Iterator<Item = Option<IpAddr>>> {
    hops(headers, X_FORWARDED_FOR, last_by_comma, |element| {
        let text = std::str::from_utf8(element).ok()?;
        text.parse().ok().or_else(|| node(element))
    })
}

/// Cuts the last element off a list: what stands before its comma, and the element.
type CutLast = fn(&[u8]) -> (Option<&[u8]>, &[u8]);

fn hops(
    headers: &HeaderMap,
    name: HeaderName,
    cut: CutLast,
    read: impl Fn(&[u8]) -> Option<IpAddr>,
) -> Option<impl Iterator<Item = Option<IpAddr>>> {
    if !headers.contains_key(&name) {
        return None;
    }
    let lines = headers.get_all(name).iter().rev().map(HeaderValue::as_bytes);
    let elements = lines.flat_map(move |line| {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let (before, element) = cut(rest?);
            rest = before;
            Some(element.trim_ascii())
        })
    });
    // Empty elements are no elements (RFC 9110 §5.6.1).
    Some(elements.filter(|element| !element.is_empty()).map(read))
}

fn last_by_comma(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    cut_at(list, list.iter().rposition(|byte| *byte == b','))
}

/// Cuts at the last comma that does not stand in quotes, as seen from the end.
fn last_element(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut is_quoted = false;
    let comma = (0..list.len()).rev().find(|&at| {
        if list[at] == b'"' && !is_escaped(&list[..at]) {
            is_quoted = !is_quoted;
        }
        list[at] == b',' && !is_quoted
    });
    cut_at(list, comma)
}

fn cut_at(list: &[u8], comma: Option<usize>) -> (Option<&[u8]>, &[u8]) {
    comma.map_or((None, list), |at| (Some(&list[..at]), &list[at + 1..]))
}

/// Whether what follows `before` is escaped by a backslash that is not escaped itself.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The value of `for` in one element of `Forwarded`; `None` without one, with two, or when
/// anything in the element is not as RFC 7239 §4 has it.
fn for_value(element: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(element).ok()?;
    let mut found = None;
    loop {
        let (name, after) = rest.split_once('=').filter(|(name, _)| is_token(name))?;
        let (value, after) = value(after)?;
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
        let after = after.trim_start_matches([' ', '\t']);
        if after.is_empty() {
            return found;
        }
        rest = after.strip_prefix(';')?.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return found;
        }
    }
}

/// A token or a quoted string at the start of `text`, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return unquoted(quoted);
    }
    let end = text.find(|c| !is_token_char(c)).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

/// What stands before the closing quote, without its escapes, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// The address of a node: `192.0.2.1`, `[2001:db8::1]`, either with a port; `None` for one that is
/// hidden (`unknown`, `_name`) or cannot be read.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let address = address.parse::<Ipv6Addr>().ok()?;
        return is_port(port).then_some(address.into());
    }
    let at = text.find(':').unwrap_or(text.len());
    let address = text[..at].parse::<Ipv4Addr>().ok()?;
    is_port(&text[at..]).then_some(address.into())
}

/// Nothing, or a colon and a port: up to five digits, or a hidden one.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    is_number || port.strip_prefix('_').is_some_and(is_token)
}
