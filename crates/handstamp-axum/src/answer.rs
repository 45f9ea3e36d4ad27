//! What a session adds to the head of an answer.

use std::time::Duration;

use handstamp_core::{CookieAction, Outgoing};
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::cookies::SetCookie;
use crate::options::Options;
use crate::problem::{NO_STORE, complete};
use crate::site;
use crate::slot::SessionSlot;

const COOKIE: HeaderValue = HeaderValue::from_static("cookie");
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const EVERYTHING: HeaderValue = HeaderValue::from_static(r#""cache", "cookies", "storage""#);

/// Puts on the answer what its session asks for, and completes a problem.
pub(crate) fn seal<B: From<String>>(
    response: &mut Response<B>,
    slot: &SessionSlot,
    outgoing: Option<&Outgoing>,
) {
    complete(response, || slot.options().manager.now());
    if let Some(outgoing) = outgoing {
        apply(response.headers_mut(), outgoing, slot.options());
    }
}

/// Says that the answer depended on where the request was made.
pub(crate) fn vary_by_site<B>(response: &mut Response<B>) {
    response.headers_mut().append(VARY, site::VARY);
}

fn apply(headers: &mut HeaderMap, outgoing: &Outgoing, options: &Options) {
    if outgoing.was_used {
        headers.insert(CACHE_CONTROL, NO_STORE);
        vary_by_cookie(headers);
    }
    if outgoing.clear_site_data {
        headers.insert(CLEAR_SITE_DATA, EVERYTHING);
    }
    let name = &options.cookie().name;
    match &outgoing.cookie {
        CookieAction::None => {}
        CookieAction::Set { value, max_age } => {
            set(headers, &cookie(options, name, value, *max_age));
        }
        CookieAction::Remove => set(headers, &cookie(options, name, "", None).removal()),
    }
    if let Some(value) = &outgoing.pre_session {
        set(headers, &cookie(options, &options.pre_session_name, value, None));
    }
}

fn vary_by_cookie(headers: &mut HeaderMap) {
    let was_there = headers.append(VARY, COOKIE);
    if !was_there {
        return;
    }
    let held: Vec<_> = headers.get_all(VARY).iter().cloned().collect();
    if let Some((_, before)) = held.split_last()
        && before.iter().any(says_cookie)
    {
        headers.remove(VARY);
        for line in before {
            headers.append(VARY, line.clone());
        }
    }
}

fn says_cookie(line: &HeaderValue) -> bool {
    let text = line.to_str().unwrap_or_default();
    text.split(',').map(str::trim).any(|name| name.eq_ignore_ascii_case("cookie") || name == "*")
}

fn cookie<'a>(
    options: &'a Options,
    name: &'a str,
    value: &'a str,
    max_age: Option<Duration>,
) -> SetCookie<'a> {
    SetCookie::of(options.cookie(), name, value, max_age)
}

/// Sets a cookie; one of the same name that somebody else has set goes, since browsers may take
/// two in either order (RFC 6265bis §4.1.1).
fn set(headers: &mut HeaderMap, cookie: &SetCookie<'_>) {
    let line = match cookie.to_header() {
        Ok(line) => line,
        Err(error) => return tracing::error!(name = cookie.name, "cookie not set: {error}"),
    };
    remove_of_name(headers, cookie.name);
    headers.append(SET_COOKIE, line);
}

fn remove_of_name(headers: &mut HeaderMap, name: &str) {
    let is_other = |line: &HeaderValue| {
        let rest = line.as_bytes().strip_prefix(name.as_bytes());
        !rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
    };
    if headers.get_all(SET_COOKIE).iter().all(is_other) {
        return;
    }
    let kept: Vec<_> =
        headers.get_all(SET_COOKIE).iter().filter(|l| is_other(l)).cloned().collect();
    headers.remove(SET_COOKIE);
    for line in kept {
        headers.append(SET_COOKIE, line);
    }
}
