//! What an access token must say, and when.

use std::time::Duration;

use handstamp_protocol::tokens::AccessClaims;
use handstamp_verify::{Invalid, VerifyError, claims as check};
use serde_json::{Value, json};

use crate::world::{AUDIENCE, Forge, ISSUER, NOW, at, claims, expected, payload};

const CLAIMS: VerifyError = VerifyError::Invalid(Invalid::Claims);

fn with(name: &str, value: Value) -> Result<AccessClaims, VerifyError> {
    let forge = Forge::new();
    forge.verdict(&forge.with_claim(name, value))
}

#[test]
fn s64_a_token_is_past_its_time_from_the_second_of_exp_on() {
    let forge = Forge::new();
    let token = forge.token(&forge.header(), &payload());
    let at = |second| check::access_token(&token, &forge.keys, &expected(), at(second));
    assert_eq!(at(NOW + 1799), Ok(claims()));
    assert_eq!(at(NOW + 1800), Err(VerifyError::Expired));
    assert_eq!(at(NOW + 100_000), Err(VerifyError::Expired));
}

#[test]
fn s64_numbers_that_are_no_seconds_are_refused_without_a_panic() {
    let forge = Forge::new();
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for text in
            ["\"1900000000\"", "-1", "1.5", "1900000000.0", "1.9e9", "1e400", "true", "[]", "{}"]
        {
            let claims = payload().to_string();
            let mut members: Value = serde_json::from_str(&claims).unwrap();
            members.as_object_mut().unwrap().remove(name);
            let rest = members.to_string();
            let claims = format!("{},\"{name}\":{text}}}", rest.trim_end_matches('}'));
            let token = forge.raw(forge.header().to_string().as_bytes(), claims.as_bytes());
            assert_eq!(forge.verdict(&token), Err(CLAIMS), "{name}: {text}");
        }
    }
    for second in [json!(1_u64 << 63), json!(u64::MAX), json!(253_402_300_800_u64)] {
        assert_eq!(with("exp", second), Err(CLAIMS));
    }
}

#[test]
fn s64_nbf_and_iat_may_be_as_far_ahead_as_clocks_may_differ() {
    for name in ["nbf", "iat"] {
        assert!(with(name, json!(NOW + 60)).is_ok());
        assert_eq!(with(name, json!(NOW + 61)), Err(Invalid::NotYet.into()));
    }
    let forge = Forge::new();
    let token = forge.with_claim("iat", json!(NOW + 1));
    let strict = expected().with_skew(Duration::ZERO);
    let verdict = check::access_token(&token, &forge.keys, &strict, at(NOW));
    assert_eq!(verdict, Err(Invalid::NotYet.into()));
}

#[test]
fn s64_clocks_may_differ_by_60_seconds_at_most() {
    let forge = Forge::new();
    let token = forge.with_claim("iat", json!(NOW + 61));
    let lax = expected().with_skew(Duration::from_secs(3600));
    let verdict = check::access_token(&token, &forge.keys, &lax, at(NOW));
    assert_eq!(verdict, Err(Invalid::NotYet.into()));
}

#[test]
fn s64_a_life_that_ends_before_it_begins_is_refused() {
    assert_eq!(with("exp", json!(NOW)), Err(CLAIMS));
}

#[test]
fn s66_the_audience_must_name_us_to_the_letter() {
    for good in [json!("shop"), json!(["shop"]), json!(["stock", "shop"])] {
        assert!(with("aud", good).is_ok());
    }
    for bad in [
        json!([]),
        json!(""),
        json!("Shop"),
        json!("shop "),
        json!("sho"),
        json!("shopping"),
        json!(["stock"]),
    ] {
        assert_eq!(with("aud", bad.clone()), Err(Invalid::Audience.into()), "{bad}");
    }
    for bad in [json!(7), json!([7]), Value::Null, json!({"shop": 1})] {
        assert_eq!(with("aud", bad), Err(CLAIMS));
    }
}

#[test]
fn s66_several_audiences_may_be_ours() {
    let forge = Forge::new();
    let expected = handstamp_verify::Expected::new(ISSUER, "stock").or_audience(AUDIENCE);
    let token = forge.token(&forge.header(), &payload());
    assert!(check::access_token(&token, &forge.keys, &expected, at(NOW)).is_ok());
}

#[test]
fn s66_an_audience_without_a_name_is_nobody_s() {
    let forge = Forge::new();
    let expected = handstamp_verify::Expected::new(ISSUER, "");
    let token = forge.with_claim("aud", json!(["", "shop"]));
    let verdict = check::access_token(&token, &forge.keys, &expected, at(NOW));
    assert_eq!(verdict, Err(Invalid::Audience.into()));
}

#[test]
fn s66_the_issuer_must_be_ours_to_the_letter() {
    for bad in ["https://id.example.com/", "https://ID.example.com", "", "https://id.example.co"] {
        assert_eq!(with("iss", json!(bad)), Err(Invalid::Issuer.into()), "{bad}");
    }
}

#[test]
fn s67_what_rfc_9068_demands_must_be_there() {
    let forge = Forge::new();
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "sid", "gen", "epoch"] {
        let mut claims = payload();
        claims.as_object_mut().unwrap().remove(name);
        let token = forge.token(&forge.header(), &claims);
        assert_eq!(forge.verdict(&token), Err(CLAIMS), "{name}");
    }
    for name in ["sub", "client_id", "jti", "sid"] {
        assert_eq!(with(name, json!("")), Err(CLAIMS), "{name}");
    }
}

#[test]
fn s71_a_token_that_is_bound_to_a_key_is_nothing_to_a_mere_bearer() {
    assert_eq!(with("cnf", json!({"jkt": "x"})), Err(Invalid::Bound.into()));
}

#[test]
fn claims_of_a_later_service_are_passed_over() {
    assert_eq!(with("later", json!({"a": [1]})), Ok(claims()));
}
