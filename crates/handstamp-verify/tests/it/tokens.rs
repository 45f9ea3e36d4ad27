//! Good tokens, and what a bit more or less makes of them.

use handstamp_protocol::tokens::AccessClaims;
use handstamp_verify::{Algorithm, Invalid, KeySet, SigningKey, VerifyError};

use crate::world::{Forge, claims, encode, key, set, sign, verdict};

const ALL: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Hs256];

fn refused(verdict: Result<AccessClaims, VerifyError>) -> bool {
    matches!(verdict, Err(VerifyError::Invalid(_) | VerifyError::UnknownKey))
}

#[test]
fn s67_what_is_signed_is_read_again_with_every_algorithm() {
    for algorithm in ALL {
        let key = key(algorithm);
        assert_eq!(verdict(&sign(&key), &set(&key)), Ok(claims()));
    }
}

#[test]
fn s57_every_single_bit_that_flips_makes_a_token_bad() {
    for algorithm in ALL {
        let key = key(algorithm);
        let (token, keys) = (sign(&key), set(&key));
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(flipped) = String::from_utf8(bytes) else { continue };
                assert!(refused(verdict(&flipped, &keys)), "{algorithm:?}: {flipped}");
            }
        }
    }
}

#[test]
fn s57_a_token_that_lacks_its_end_or_its_beginning_is_bad() {
    let key = key(Algorithm::Es256);
    let (token, keys) = (sign(&key), set(&key));
    for at in 0..token.len() {
        assert!(refused(verdict(&token[..at], &keys)));
        assert!(at == 0 || refused(verdict(&token[at..], &keys)));
    }
}

#[test]
fn s57_a_signature_of_another_length_is_bad() {
    let key = key(Algorithm::Es256);
    let token = sign(&key);
    let (signed, _) = token.rsplit_once('.').unwrap();
    for signature in [&[0; 64][..], &[0; 63], &[0; 65], &[0; 1], &[0; 72], &[0xff; 64]] {
        let token = format!("{signed}.{}", encode(signature));
        assert_eq!(verdict(&token, &set(&key)), Err(Invalid::Signature.into()));
    }
    assert_eq!(verdict(&format!("{signed}."), &set(&key)), Err(Invalid::Form.into()));
}

#[test]
fn a_key_of_another_issuer_with_the_same_algorithm_is_unknown() {
    let (ours, theirs) = (key(Algorithm::Es256), key(Algorithm::Es256));
    assert_eq!(verdict(&sign(&theirs), &set(&ours)), Err(VerifyError::UnknownKey));
    assert_eq!(verdict(&sign(&theirs), &KeySet::default()), Err(VerifyError::UnknownKey));
}

#[test]
fn s113_tokens_of_the_old_key_are_good_beside_those_of_the_new_one() {
    let (old, new) = (key(Algorithm::Es256), key(Algorithm::Ed25519));
    let keys = [&old, &new].map(|key| key.verifying_key().unwrap());
    let keys = KeySet::new(keys).unwrap();
    assert_eq!(verdict(&sign(&old), &keys), Ok(claims()));
    assert_eq!(verdict(&sign(&new), &keys), Ok(claims()));
}

#[test]
fn s68_the_old_name_of_ed25519_is_taken_only_where_that_is_configured() {
    let key = key(Algorithm::Ed25519);
    let token = with_algorithm_name(&key, "EdDSA");
    // The header is signed too, so this token cannot be good; what differs is what stops it.
    assert_eq!(verdict(&token, &set(&key)), Err(Invalid::Algorithm.into()));
    let accepting = set(&key).accepting_eddsa();
    assert_eq!(verdict(&token, &accepting), Err(Invalid::Signature.into()));
    assert_eq!(verdict(&sign(&key), &accepting), Ok(claims()));
}

#[test]
fn s68_the_old_name_never_stands_for_another_key() {
    let key = key(Algorithm::Es256);
    let token = with_algorithm_name(&key, "EdDSA");
    let accepting = set(&key).accepting_eddsa();
    assert_eq!(verdict(&token, &accepting), Err(Invalid::Algorithm.into()));
}

fn with_algorithm_name(key: &SigningKey, name: &str) -> String {
    let token = sign(key);
    let (_, rest) = token.split_once('.').unwrap();
    let header = serde_json::json!({"alg": name, "kid": key.kid(), "typ": "at+jwt"});
    format!("{}.{rest}", encode(header.to_string()))
}

#[test]
fn s69_a_forge_with_the_right_secret_makes_good_tokens() {
    let forge = Forge::new();
    assert_eq!(forge.verdict(&sign(&forge.key)), Ok(claims()));
    let token = forge.token(&forge.header(), &crate::world::payload());
    assert_eq!(forge.verdict(&token), Ok(claims()));
}
