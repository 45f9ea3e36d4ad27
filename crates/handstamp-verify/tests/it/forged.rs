//! Tokens that somebody made on purpose (STANDARDS F): all have a right signature where one can
//! be had, so that only the rule at hand stops them.

use handstamp_protocol::tokens::Jwk;
use handstamp_verify::{Algorithm, Invalid, SigningKey, VerifyError};
use serde_json::{Value, json};

use crate::world::{Forge, decode, encode, key, payload, set, sign, verdict};

const ALG: VerifyError = VerifyError::Invalid(Invalid::Algorithm);
const FORM: VerifyError = VerifyError::Invalid(Invalid::Form);
const HEADER: VerifyError = VerifyError::Invalid(Invalid::Header);
const TYPE: VerifyError = VerifyError::Invalid(Invalid::Type);

#[test]
fn s58_no_algorithm_but_the_key_s_own_is_taken() {
    let forge = Forge::new();
    for alg in [
        json!("none"),
        json!("None"),
        json!("noNE"),
        json!(""),
        json!(["HS256"]),
        json!(256),
        Value::Null,
        json!("hs256"),
        json!("HS256 "),
        json!("HS512"),
        json!("ES256"),
        json!("RS256"),
    ] {
        let token = forge.with_header("alg", alg.clone());
        assert_eq!(forge.verdict(&token), Err(ALG), "{alg}");
    }
    let mut header = forge.header();
    header.as_object_mut().unwrap().remove("alg");
    assert_eq!(forge.verdict(&forge.token(&header, &payload())), Err(ALG));
}

#[test]
fn s58_a_token_without_a_signature_is_bad_whatever_it_says() {
    let forge = Forge::new();
    let token = forge.with_header("alg", json!("none"));
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(forge.verdict(&format!("{signed}.")), Err(FORM));
    assert_eq!(forge.verdict(signed), Err(FORM));
}

#[test]
fn s58_a_public_key_is_never_taken_for_a_secret() {
    use aws_lc_rs::hmac;
    let signer = key(Algorithm::Es256);
    let jwk = signer.jwk().unwrap();
    let header = json!({"alg": "HS256", "kid": signer.kid(), "typ": "at+jwt"});
    let text = format!("{}.{}", encode(header.to_string()), encode(payload().to_string()));
    for secret in public_forms(&jwk) {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), text.as_bytes());
        let token = format!("{text}.{}", encode(tag));
        assert_eq!(verdict(&token, &set(&signer)), Err(ALG));
    }
}

/// The bytes that such an attack uses: JWK, point, DER and PEM of the public key.
fn public_forms(jwk: &Jwk) -> Vec<Vec<u8>> {
    let point = [&[4], &*decode(&jwk.x), &*decode(jwk.y.as_deref().unwrap())].concat();
    let prefix = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
    let der = [&decode(prefix)[..26], &point].concat();
    let pem = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n");
    vec![serde_json::to_vec(jwk).unwrap(), point, der, pem.into_bytes()]
}

#[test]
fn s59_a_right_kid_with_another_algorithm_of_the_family_is_bad() {
    let signer = key(Algorithm::Es256);
    let token = sign(&signer);
    let (_, rest) = token.split_once('.').unwrap();
    for alg in ["ES384", "ES512", "ES256K", "Ed25519"] {
        let header = json!({"alg": alg, "kid": signer.kid(), "typ": "at+jwt"});
        let token = format!("{}.{rest}", encode(header.to_string()));
        assert_eq!(verdict(&token, &set(&signer)), Err(ALG), "{alg}");
    }
}

#[test]
fn s60_a_key_in_the_token_or_a_place_to_get_one_is_refused() {
    let forge = Forge::new();
    let own = SigningKey::generate(Algorithm::Es256).unwrap();
    for (name, value) in [
        ("jku", json!("http://127.0.0.1:9/jwks.json")),
        ("x5u", json!("http://127.0.0.1:9/cert.pem")),
        ("jwk", serde_json::to_value(own.jwk().unwrap()).unwrap()),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AQ")),
        ("x5t#S256", json!("AQ")),
    ] {
        assert_eq!(forge.verdict(&forge.with_header(name, value)), Err(HEADER), "{name}");
    }
}

#[test]
fn s60_a_kid_is_only_ever_compared() {
    let forge = Forge::new();
    for kid in ["../../etc/passwd", "' OR 1=1 --", "k\0", "", "http://127.0.0.1:9/"] {
        let token = forge.with_header("kid", json!(kid));
        assert_eq!(forge.verdict(&token), Err(VerifyError::UnknownKey), "{kid:?}");
    }
    for kid in [json!("k".repeat(129)), json!(7), json!(["a"]), Value::Null] {
        assert_eq!(forge.verdict(&forge.with_header("kid", kid)), Err(HEADER));
    }
    let long = forge.with_header("kid", json!("k".repeat(10 * 1024)));
    assert_eq!(forge.verdict(&long), Err(Invalid::TooLong.into()));
}

#[test]
fn s61_no_critical_member_is_understood() {
    let forge = Forge::new();
    for crit in [json!(["exp"]), json!([]), json!(["b64", "b64"]), json!("exp"), Value::Null] {
        assert_eq!(forge.verdict(&forge.with_header("crit", crit)), Err(HEADER));
    }
    assert_eq!(forge.verdict(&forge.with_header("b64", json!(false))), Err(HEADER));
    assert_eq!(forge.verdict(&forge.with_header("b64", json!(true))), Err(HEADER));
}

#[test]
fn s62_only_three_parts_of_plain_base64url_are_a_token() {
    let forge = Forge::new();
    let good = sign(&forge.key);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "a.b".into(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.a"),
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        good.replacen('.', "..", 1),
        good.replacen('.', ".\n", 1),
        good.replacen('.', "%2E", 1),
        good.replacen('e', "\u{435}", 1),
        json!({"payload": "e30", "protected": "e30", "signature": "AA"}).to_string(),
    ] {
        assert_eq!(forge.verdict(&bad), Err(FORM), "{bad:?}");
    }
}

#[test]
fn s62_bits_that_belong_to_no_byte_are_refused_in_every_part() {
    let forge = Forge::new();
    let signed = |header: &str, payload: &str| forge.signed(&format!("{header}.{payload}"));
    let header = encode(format!("{} ", forge.header()));
    let claims = encode(payload().to_string());
    for (header, claims) in [
        (dirtied(&header), claims.clone()),
        (format!("{header}="), claims.clone()),
        (encode(forge.header().to_string()), dirtied(&encode(format!("{} ", payload())))),
    ] {
        assert_eq!(forge.verdict(&signed(&header, &claims)), Err(FORM), "{header}");
    }
    // An HMAC has 32 bytes, so its last character always has two spare bits.
    assert_eq!(forge.verdict(&dirtied(&sign(&forge.key))), Err(FORM));
}

/// The same text with a spare bit set in its last character, padded out to have one.
fn dirtied(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = text.split_at(text.len() - 1);
    let at = ALPHABET.iter().position(|byte| *byte == last.as_bytes()[0]).unwrap();
    format!("{rest}{}", char::from(ALPHABET[at | 1]))
}

#[test]
fn s63_members_that_are_there_twice_are_refused() {
    let forge = Forge::new();
    let (header, claims) = (forge.header().to_string(), payload().to_string());
    let twice = |text: &str, more: &str| format!("{},{more}}}", text.trim_end_matches('}'));
    let token = forge.raw(twice(&header, r#""alg":"HS256""#).as_bytes(), claims.as_bytes());
    assert_eq!(forge.verdict(&token), Err(HEADER));
    for more in [r#""exp":9999999999"#, r#""sub":"eve""#, r#""x":{"a":1,"a":1}"#] {
        let token = forge.raw(header.as_bytes(), twice(&claims, more).as_bytes());
        assert_eq!(forge.verdict(&token), Err(Invalid::Claims.into()), "{more}");
    }
}

#[test]
fn s63_what_is_not_plain_utf_8_json_is_refused() {
    let forge = Forge::new();
    let (header, claims) = (forge.header().to_string(), payload().to_string());
    let bom = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let broken = |text: &str| text.replace("ada", "\u{1}").replace('\u{1}', "\\ud800");
    assert_eq!(forge.verdict(&forge.raw(&bom(&header), claims.as_bytes())), Err(HEADER));
    for claims in [bom(&claims), broken(&claims).into_bytes(), b"[]".to_vec(), b"null".to_vec()] {
        let token = forge.raw(header.as_bytes(), &claims);
        assert_eq!(forge.verdict(&token), Err(Invalid::Claims.into()));
    }
    let not_utf8 = claims.replace("ada", "\u{7f}").into_bytes();
    let not_utf8 = not_utf8.iter().map(|byte| if *byte == 0x7f { 0xff } else { *byte });
    let token = forge.raw(header.as_bytes(), &not_utf8.collect::<Vec<_>>());
    assert_eq!(forge.verdict(&token), Err(Invalid::Claims.into()));
}

#[test]
fn s65_no_token_of_another_type_passes_and_no_access_token_as_one() {
    let forge = Forge::new();
    let assertion = handstamp_protocol::verify::ASSERTION_TYPE;
    for typ in [
        assertion,
        "JWT",
        "dpop+jwt",
        "dbsc+jwt",
        "secevent+jwt",
        "logout+jwt",
        "at+jwt ",
        "",
        "jwt",
    ] {
        assert_eq!(forge.verdict(&forge.with_header("typ", json!(typ))), Err(TYPE), "{typ:?}");
        let token = sign(&forge.key);
        if typ != "at+jwt" {
            let verdict = handstamp_verify::jws::verify(&token, typ, &forge.keys);
            assert_eq!(verdict.unwrap_err(), TYPE, "{typ:?}");
        }
    }
    for typ in [json!(1), Value::Null, json!(["at+jwt"])] {
        assert_eq!(forge.verdict(&forge.with_header("typ", typ)), Err(TYPE));
    }
    let mut header = forge.header();
    header.as_object_mut().unwrap().remove("typ");
    assert_eq!(forge.verdict(&forge.token(&header, &payload())), Err(TYPE));
}

#[test]
fn s65_the_type_is_taken_in_any_case_and_with_its_prefix() {
    let forge = Forge::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(forge.verdict(&forge.with_header("typ", json!(typ))).is_ok(), "{typ}");
    }
}

#[test]
fn s98_long_and_deep_tokens_are_refused_before_they_cost_anything() {
    let forge = Forge::new();
    let long = forge.with_claim("x", json!("x".repeat(8 * 1024)));
    assert_eq!(forge.verdict(&long), Err(Invalid::TooLong.into()));
    let deep = format!("{}1{}", "[".repeat(1500), "]".repeat(1500));
    let claims = payload().to_string();
    let claims = format!("{},\"x\":{deep}}}", claims.trim_end_matches('}'));
    let token = forge.raw(forge.header().to_string().as_bytes(), claims.as_bytes());
    assert_eq!(forge.verdict(&token), Err(Invalid::Claims.into()));
}

#[test]
fn members_of_a_header_that_mean_nothing_here_are_passed_over() {
    let forge = Forge::new();
    assert!(forge.verdict(&forge.with_header("note", json!("x"))).is_ok());
}
