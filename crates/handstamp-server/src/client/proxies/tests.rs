use http::header::HeaderName;

use super::*;

const PROXY: &str = "10.0.0.1";

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

fn address(peer: &str, lines: &[(&str, &str)]) -> String {
    let proxies = TrustedProxies::parse(["10.0.0.0/8", "2001:db8:1::/48"]).unwrap();
    proxies.client_address(peer.parse().unwrap(), &headers(lines)).to_string()
}

/// The address found when a trusted proxy sends this `X-Forwarded-For`.
fn by_habit(value: &str) -> String {
    address(PROXY, &[("x-forwarded-for", value)])
}

/// The address found when a trusted proxy sends this `Forwarded`.
fn by_standard(value: &str) -> String {
    address(PROXY, &[("forwarded", value)])
}

#[test]
fn s96_a_stranger_may_write_what_they_like() {
    let forged = [("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(address("203.0.113.9", &forged), "203.0.113.9");
    assert_eq!(address("2001:db8:2::1", &forged), "2001:db8:2::1");
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.client_address(PROXY.parse().unwrap(), &headers(&forged)).to_string(), PROXY);
}

#[test]
fn s96_a_proxy_without_headers_is_the_client() {
    assert_eq!(address(PROXY, &[]), PROXY);
    assert_eq!(by_habit(""), PROXY);
    assert_eq!(by_standard(" , ,"), PROXY);
}

#[test]
fn s96_the_right_most_hop_that_is_no_proxy_counts() {
    assert_eq!(by_habit("192.0.2.1"), "192.0.2.1");
    assert_eq!(by_habit("198.51.100.9, 192.0.2.1"), "192.0.2.1");
    assert_eq!(by_habit("198.51.100.9, 192.0.2.1, 10.9.9.9, 10.0.0.7"), "192.0.2.1");
    assert_eq!(by_standard("for=198.51.100.9, for=192.0.2.1, for=10.9.9.9"), "192.0.2.1");
    assert_eq!(by_habit("10.3.3.3, 10.2.2.2"), "10.3.3.3", "all the way inside");
}

#[test]
fn s96_lines_of_a_header_are_one_list() {
    let lines = [("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "192.0.2.1, 10.0.0.7")];
    assert_eq!(address(PROXY, &lines), "192.0.2.1");
    let lines = [("forwarded", "for=192.0.2.1"), ("forwarded", "for=10.0.0.7")];
    assert_eq!(address(PROXY, &lines), "192.0.2.1");
}

#[test]
fn s96_every_spelling_of_rfc_7239_is_read() {
    for (value, found) in [
        ("for=192.0.2.43", "192.0.2.43"),
        ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("by=203.0.113.43;host=\"a,b;for=x\";FOR=192.0.2.60", "192.0.2.60"),
        ("for=\"192.0.2.43:47011\"", "192.0.2.43"),
        ("for=\"192.0.2.43:_port\"", "192.0.2.43"),
        ("for=\"[2001:db8::1]\" ; proto=https", "2001:db8::1"),
        ("for=\"[::ffff:192.0.2.7]\"", "192.0.2.7"),
        ("host=\"say \\\"hi\\\", for=1.1.1.1\";for=192.0.2.8", "192.0.2.8"),
    ] {
        assert_eq!(by_standard(value), found, "{value}");
    }
}

#[test]
fn s96_the_usual_spellings_of_x_forwarded_for_are_read() {
    for (value, found) in [
        ("192.0.2.43", "192.0.2.43"),
        ("192.0.2.43:1234", "192.0.2.43"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("  192.0.2.43  ", "192.0.2.43"),
        ("192.0.2.43,", "192.0.2.43"),
    ] {
        assert_eq!(by_habit(value), found, "{value}");
    }
}

#[test]
fn s96_what_is_hidden_or_unreadable_ends_the_way_at_the_last_good_hop() {
    for value in [
        "for=unknown",
        "for=_hidden",
        "for=\"_SEVKISEK\"",
        "proto=https",
        "for=2001:db8::1",
        "for=\"2001:db8::1\"",
        "for=[2001:db8::1]",
        "for=192.0.2.1;for=192.0.2.2",
        "for =192.0.2.1",
        "for=\"192.0.2.1",
        "for=\"192.0.2.1\"x",
        "for=192.0.2.01",
        "for=\"192.0.2.1:123456\"",
        "for=\"192.0.2.1:\"",
        "for",
        "=192.0.2.1",
        "for=",
    ] {
        assert_eq!(by_standard(value), PROXY, "{value}");
        assert_eq!(by_standard(&format!("{value}, for=10.0.0.7")), "10.0.0.7", "{value}");
    }
    for value in ["unknown", "_x", "192.0.2.1 192.0.2.2", "192.0.2.256", "fe80::1%eth0", "a"] {
        assert_eq!(by_habit(value), PROXY, "{value}");
        assert_eq!(by_habit(&format!("192.0.2.5, {value}, 10.0.0.7")), "10.0.0.7", "{value}");
    }
}

#[test]
fn s96_nothing_that_a_client_writes_in_front_hides_or_moves_the_hop_behind_it() {
    for junk in [
        "for=\"",
        "for=\"\\",
        "for=\\",
        "\"",
        "\\\"",
        "for=1.1.1.1;host=\"",
        "for=\"1.1.1.1\", for=\"",
        ";;;===",
        "for=1.1.1.1\"\"\"",
    ] {
        for added in ["for=192.0.2.1", "for=\"[2001:db8::1]:80\"", "host=\"a\\\"b\";for=192.0.2.1"]
        {
            let clean = by_standard(added);
            assert_ne!(clean, PROXY);
            assert_eq!(by_standard(&format!("{junk}, {added}")), clean, "{junk}");
            let lines = [("forwarded", junk), ("forwarded", added)];
            assert_eq!(address(PROXY, &lines), clean, "{junk}");
        }
    }
}

#[test]
fn s96_a_quoted_value_that_a_client_chose_adds_no_hop() {
    let added = "for=192.0.2.1;host=\"a\\\", for=1.1.1.1, \\\"b\"";
    assert_eq!(by_standard(added), "192.0.2.1");
}

#[test]
fn s96_where_both_headers_disagree_neither_counts() {
    let both =
        |standard, habit| address(PROXY, &[("forwarded", standard), ("x-forwarded-for", habit)]);
    assert_eq!(both("for=192.0.2.1", "192.0.2.1"), "192.0.2.1");
    assert_eq!(both("for=192.0.2.1", "198.51.100.7"), PROXY, "a client sent one of them");
    assert_eq!(both("for=_hidden", "198.51.100.7"), PROXY);
}

#[test]
fn a_peer_is_known_in_both_spellings_of_its_address() {
    assert_eq!(address("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.1")]), "192.0.2.1");
    assert_eq!(address("::ffff:203.0.113.9", &[]), "203.0.113.9");
}

#[test]
fn bytes_that_are_no_text_are_nobodys_address() {
    let mut headers = HeaderMap::new();
    headers
        .append("x-forwarded-for", http::HeaderValue::from_bytes(b"192.0.2.1, \xff\xfe").unwrap());
    let proxies = TrustedProxies::parse([PROXY]).unwrap();
    assert_eq!(proxies.client_address(PROXY.parse().unwrap(), &headers).to_string(), PROXY);
}

#[test]
fn a_network_that_is_none_or_everybody_is_refused_with_its_reason() {
    let refused = |text: &str| TrustedProxies::parse([text]).unwrap_err();
    for text in ["10.0.0.0/33", "localhost", "", "10.0.0"] {
        assert_eq!(refused(text), ProxyError::Unreadable(text.to_owned()));
    }
    for text in ["0.0.0.0/0", "::/0"] {
        assert_eq!(refused(text), ProxyError::Everybody(text.to_owned()));
        assert!(!refused(text).to_string().contains('\n'));
        assert_eq!(TrustedProxies::new(vec![text.parse().unwrap()]), TrustedProxies::default());
    }
}

/// Whatever stands in the headers, the address is the peer's or one that a header names, and for
/// a peer that is no proxy always its own.
#[test]
fn s96_no_header_of_random_pieces_breaks_the_walk() {
    const PIECES: [&str; 14] = [
        "for=",
        "\"",
        "\\",
        ",",
        ";",
        "192.0.2.1",
        "[2001:db8::1]",
        ":80",
        "_x",
        "unknown",
        " ",
        "10.0.0.7",
        "host=",
        "=",
    ];
    let mut seed = 17_u64;
    let mut draw = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for _ in 0..20_000 {
        let length = draw(12);
        let value: String = (0..length).map(|_| PIECES[draw(PIECES.len())]).collect();
        let lines = [("forwarded", &*value), ("x-forwarded-for", &*value)];
        let found = address(PROXY, &lines[..1 + draw(2)]);
        assert!(["10.0.0.1", "192.0.2.1", "2001:db8::1", "10.0.0.7"].contains(&&*found), "{value}");
        assert_eq!(address("203.0.113.9", &lines), "203.0.113.9");
    }
}
