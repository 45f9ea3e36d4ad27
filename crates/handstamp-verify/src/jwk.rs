//! Public keys as JSON (RFC 7517, RFC 8037), and their names (RFC 7638).

use aws_lc_rs::digest;
use handstamp_protocol::tokens::Jwk;
use serde_json::{Map, Value};

use crate::key::{KeyError, KeySet, VerifyingKey};
use crate::{base64url, json};

/// Members that only a signer has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The longest name of a key, in bytes.
pub(crate) const MAX_KID: usize = 128;

/// A coordinate of P-256, and a point of Ed25519.
const COORDINATE: usize = 32;

/// The public key for ES256 whose uncompressed point is `04 ‖ x ‖ y`.
pub(crate) fn es256(point: &[u8]) -> Option<Jwk> {
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(COORDINATE)?;
    let (x, y) = (base64url::encode(x), base64url::encode(y));
    let kid = thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
    Some(jwk("EC", "P-256", "ES256", kid, x, Some(y)))
}

/// The public key for Ed25519.
pub(crate) fn ed25519(point: &[u8]) -> Jwk {
    let x = base64url::encode(point);
    let kid = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
    jwk("OKP", "Ed25519", "Ed25519", kid, x, None)
}

fn jwk(kty: &str, crv: &str, alg: &str, kid: String, x: String, y: Option<String>) -> Jwk {
    Jwk { kty: kty.into(), crv: crv.into(), alg: alg.into(), usage: "sig".into(), kid, x, y }
}

fn thumbprint(members: &str) -> String {
    base64url::encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

pub(crate) fn read(key: &Jwk) -> Result<VerifyingKey, KeyError> {
    if key.usage != "sig" || key.kid.is_empty() || key.kid.len() > MAX_KID {
        return Err(KeyError::Unusable);
    }
    match (&*key.kty, &*key.crv, &*key.alg, &key.y) {
        ("EC", "P-256", "ES256", Some(y)) => {
            let point = [&[4], &*coordinate(&key.x)?, &*coordinate(y)?].concat();
            VerifyingKey::es256(&key.kid, &point)
        }
        ("OKP", "Ed25519", "Ed25519" | "EdDSA", None) => {
            VerifyingKey::ed25519(&key.kid, &coordinate(&key.x)?)
        }
        _ => Err(KeyError::Unusable),
    }
}

fn coordinate(text: &str) -> Result<Vec<u8>, KeyError> {
    base64url::decode(text).filter(|bytes| bytes.len() == COORDINATE).ok_or(KeyError::Unusable)
}

/// The usable keys of a set.
pub(crate) fn read_set(text: &[u8]) -> Result<Vec<VerifyingKey>, KeyError> {
    if text.len() > KeySet::MAX_LEN {
        return Err(KeyError::Form);
    }
    let mut set = json::object(text).ok_or(KeyError::Form)?;
    let Some(Value::Array(keys)) = set.remove("keys") else { return Err(KeyError::Form) };
    if keys.len() > KeySet::MAX_KEYS {
        return Err(KeyError::Form);
    }
    let keys = keys.into_iter().map(read_one).collect::<Result<Vec<_>, _>>()?;
    Ok(keys.into_iter().flatten().collect())
}

/// A key that we cannot use is none; one that should not be there is an error.
fn read_one(key: Value) -> Result<Option<VerifyingKey>, KeyError> {
    let Value::Object(members) = key else { return Err(KeyError::Form) };
    if is_private(&members) {
        return Err(KeyError::Private);
    }
    let key = serde_json::from_value::<Jwk>(Value::Object(members)).ok();
    Ok(key.and_then(|key| read(&key).ok()))
}

fn is_private(members: &Map<String, Value>) -> bool {
    PRIVATE.iter().any(|name| members.contains_key(*name))
        || members.get("kty").is_some_and(|kty| kty == "oct")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Algorithm;
    use serde_json::json;

    const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ec() -> Value {
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "a",
            "x": P256_X, "y": P256_Y})
    }

    fn okp() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "use": "sig", "kid": "b",
            "x": ED_X})
    }

    fn set(keys: &[Value]) -> Result<KeySet, KeyError> {
        KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
        key[name] = value.into();
        key
    }

    fn names(set: &KeySet) -> Vec<&str> {
        ["a", "b"].into_iter().filter(|kid| set.find(kid).is_some()).collect()
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_a_3() {
        let key = ed25519(&base64url::decode(ED_X).unwrap());
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.x, ED_X);
    }

    #[test]
    fn an_es256_key_is_written_and_read_again() {
        let point = [base64url::decode(P256_X).unwrap(), base64url::decode(P256_Y).unwrap()];
        let key = es256(&[&[4][..], &point.concat()].concat()).unwrap();
        assert_eq!((&*key.x, key.y.as_deref()), (P256_X, Some(P256_Y)));
        assert_eq!(read(&key).unwrap().kid(), key.kid);
        assert_eq!(es256(&[2; 65]), None);
    }

    #[test]
    fn both_sorts_of_keys_are_read() {
        let set = set(&[ec(), okp()]).unwrap();
        assert_eq!(set.find("a").unwrap().algorithm(), Algorithm::Es256);
        assert_eq!(set.find("b").unwrap().algorithm(), Algorithm::Ed25519);
    }

    #[test]
    fn keys_of_other_sorts_are_left_out() {
        let rsa = json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "a", "n": "AQAB",
            "e": "AQAB"});
        for other in [
            rsa,
            with(ec(), "alg", "ES384"),
            with(ec(), "alg", "HS256"),
            with(ec(), "crv", "P-384"),
            with(ec(), "use", "enc"),
            with(ec(), "kid", ""),
            with(ec(), "kid", "k".repeat(MAX_KID + 1)),
            with(ec(), "x", ED_X),
            with(ec(), "x", format!("{P256_X}=")),
            with(ec(), "y", 7),
            with(ec(), "y", Value::Null),
        ] {
            assert_eq!(names(&set(&[other.clone(), okp()]).unwrap()), ["b"], "{other}");
        }
    }

    #[test]
    fn a_set_with_a_private_or_secret_key_is_refused_whole() {
        let secret = json!({"kty": "oct", "kid": "c"});
        for bad in [with(ec(), "d", "AQ"), with(okp(), "d", ""), with(ec(), "k", "AQ"), secret] {
            assert_eq!(set(&[okp(), bad]).unwrap_err(), KeyError::Private);
        }
    }

    #[test]
    fn two_keys_of_one_name_are_refused() {
        assert_eq!(set(&[ec(), with(okp(), "kid", "a")]).unwrap_err(), KeyError::Twice);
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let many = vec![json!({}); KeySet::MAX_KEYS + 1];
        assert_eq!(set(&many).unwrap_err(), KeyError::Form);
        assert_eq!(set(&[json!(1)]).unwrap_err(), KeyError::Form);
        for text in ["", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "[]"] {
            assert_eq!(KeySet::from_jwks(text.as_bytes()).unwrap_err(), KeyError::Form, "{text}");
        }
        let long = format!("{{\"keys\":[]{}}}", " ".repeat(KeySet::MAX_LEN));
        assert_eq!(KeySet::from_jwks(long.as_bytes()).unwrap_err(), KeyError::Form);
    }
}
