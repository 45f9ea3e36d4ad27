//! The check as a table.

use super::*;
use http::Request;

const TRUSTED: &str = "https://app.example";

fn head(method: &str, lines: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri("/x");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn judge(method: &str, lines: &[(&str, &str)]) -> Verdict {
    let here = [("host", "shop.example")];
    SiteCheck::new([TRUSTED]).https_only(true).judge(&head(method, &[&here, lines].concat()))
}

/// The headers of a request, and what is to come of it.
type Row<'a> = (&'a [(&'a str, &'a str)], Result<(), Why>);

#[track_caller]
fn table(rows: &[Row<'_>]) {
    for (lines, expected) in rows {
        let expected = expected.map_or_else(Verdict::Refused, |()| Verdict::Own);
        for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE"] {
            assert_eq!(judge(method, lines), expected, "{method} {lines:?}");
        }
    }
}

#[test]
fn s49_fetch_metadata_decides_where_it_is_there() {
    table(&[
        (&[("sec-fetch-site", "same-origin")], Ok(())),
        (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], Ok(())),
        (&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")], Ok(())),
        (&[("sec-fetch-site", "none"), ("sec-fetch-mode", "cors")], Err(Why::NotNavigation)),
        (&[("sec-fetch-site", "none")], Err(Why::NotNavigation)),
        (&[("sec-fetch-site", "same-site")], Err(Why::SameSite)),
        (
            &[("sec-fetch-site", "same-site"), ("origin", "https://b.shop.example")],
            Err(Why::SameSite),
        ),
        (
            &[("sec-fetch-site", "same-site"), ("origin", "https://shop.example")],
            Err(Why::SameSite),
        ),
        (&[("sec-fetch-site", "same-site"), ("origin", TRUSTED)], Ok(())),
        (&[("sec-fetch-site", "cross-site")], Err(Why::CrossSite)),
        (&[("sec-fetch-site", "cross-site"), ("origin", "null")], Err(Why::CrossSite)),
        (&[("sec-fetch-site", "cross-site"), ("origin", TRUSTED)], Ok(())),
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], Err(Why::CrossSite)),
    ]);
}

#[test]
fn s49_an_unknown_value_is_ignored_and_origin_decides() {
    for unknown in ["Same-Origin", "same-origin, same-origin", "", "future"] {
        table(&[
            (&[("sec-fetch-site", unknown)], Err(Why::NoEvidence)),
            (&[("sec-fetch-site", unknown), ("origin", "https://shop.example")], Ok(())),
            (
                &[("sec-fetch-site", unknown), ("origin", "https://evil.example")],
                Err(Why::ForeignOrigin),
            ),
        ]);
    }
    table(&[(
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
        Err(Why::NoEvidence),
    )]);
}

#[test]
fn s50_without_fetch_metadata_the_origin_must_be_ours() {
    let foreign = Err(Why::ForeignOrigin);
    table(&[
        (&[("origin", "https://shop.example")], Ok(())),
        (&[("origin", "https://shop.example:443")], Ok(())),
        (&[("origin", TRUSTED)], Ok(())),
        (&[("origin", "null")], foreign),
        (&[("origin", "")], foreign),
        (&[("origin", "http://shop.example")], foreign),
        (&[("origin", "https://shop.example:8443")], foreign),
        (&[("origin", "https://b.shop.example")], foreign),
        (&[("origin", "https://shop.example.evil.example")], foreign),
        (&[("origin", "https://evilshop.example")], foreign),
        (&[("origin", "https://app.example.evil.example")], foreign),
        (&[("origin", "https://evil.example"), ("referer", "https://shop.example/")], foreign),
        (&[("origin", "https://shop.example"), ("origin", "https://evil.example")], foreign),
        (&[("origin", "null"), ("sec-fetch-mode", "navigate")], foreign),
    ]);
}

#[test]
fn s50_then_the_referer_and_nothing_at_all_is_refused() {
    table(&[
        (&[("referer", "https://shop.example/cart?x=1")], Ok(())),
        (&[("referer", "https://shop.example")], Ok(())),
        (&[("referer", "https://app.example/x")], Ok(())),
        (&[("referer", "https://evil.example/https://shop.example/")], Err(Why::ForeignReferer)),
        (&[("referer", "https://shop.example@evil.example/")], Err(Why::ForeignReferer)),
        (&[("referer", "http://shop.example/")], Err(Why::ForeignReferer)),
        (&[("referer", "")], Err(Why::ForeignReferer)),
        (&[("referer", "/cart")], Err(Why::ForeignReferer)),
        (&[], Err(Why::NoEvidence)),
    ]);
}

#[test]
fn methods_that_change_nothing_pass_unjudged() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert_eq!(judge(method, &[("sec-fetch-site", "cross-site")]), Verdict::Safe);
        assert_eq!(judge(method, &[]), Verdict::Safe);
    }
    assert_eq!(judge("get", &[]), Verdict::Refused(Why::NoEvidence), "methods have a case");
}

#[test]
fn a_websocket_handshake_from_elsewhere_is_refused() {
    let upgrade = ("upgrade", "websocket");
    let evil = ("origin", "https://evil.example");
    assert_eq!(judge("GET", &[upgrade, evil]), Verdict::Refused(Why::ForeignOrigin));
    assert_eq!(judge("CONNECT", &[evil]), Verdict::Refused(Why::ForeignOrigin));
    let neighbour = [upgrade, ("sec-fetch-site", "same-site")];
    assert_eq!(judge("GET", &neighbour), Verdict::Refused(Why::SameSite));
    assert_eq!(judge("GET", &[upgrade, ("origin", "https://shop.example")]), Verdict::Own);
    assert_eq!(judge("GET", &[upgrade]), Verdict::Own, "a program, not a browser");
}

#[test]
fn over_http_2_the_authority_is_the_host() {
    let request = Request::post("https://shop.example/x");
    let head = request.header("origin", "https://shop.example").body(()).unwrap().into_parts().0;
    assert_eq!(SiteCheck::default().judge(&head), Verdict::Own);
}

#[test]
fn without_a_host_no_origin_is_ours() {
    for hosts in [&[][..], &[("host", "shop.example"), ("host", "shop.example")]] {
        let lines = [hosts, &[("origin", "https://shop.example")]].concat();
        let verdict = SiteCheck::default().judge(&head("POST", &lines));
        assert_eq!(verdict, Verdict::Refused(Why::ForeignOrigin));
    }
}

#[test]
fn a_plain_http_origin_is_ours_in_development_and_on_loopback() {
    let at = |host, origin| head("POST", &[("host", host), ("origin", origin)]);
    let strict = SiteCheck::default().https_only(true);
    let local = at("127.0.0.1:3000", "http://127.0.0.1:3000");
    assert_eq!(strict.judge(&local), Verdict::Own);
    let lan = at("192.168.0.7:3000", "http://192.168.0.7:3000");
    assert_eq!(strict.judge(&lan), Verdict::Refused(Why::ForeignOrigin));
    assert_eq!(SiteCheck::default().judge(&lan), Verdict::Own);
}

#[test]
fn s08_hostile_bytes_are_refused_not_a_fault() {
    for name in ["origin", "referer", "sec-fetch-site", "host"] {
        let mut request = head("POST", &[]);
        request.headers.insert(name, HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert!(matches!(SiteCheck::default().judge(&request), Verdict::Refused(_)), "{name}");
    }
}
