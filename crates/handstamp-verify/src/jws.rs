//! Signed tokens in their compact form (RFC 7515), read strictly (RFC 8725).
//!
//! What is not needed is refused rather than skipped: there is one way to write a token, one
//! place that names its key, and one algorithm for that key.

use serde_json::{Map, Value};

use crate::error::{Invalid, VerifyError};
use crate::key::{KeySet, VerifyingKey};
use crate::{base64url, json, jwk};

/// How long a token may be, in bytes.
pub const MAX_LEN: usize = 8 * 1024;

/// Members of a header that would change how the token is checked, or where its key comes from.
const REFUSED: [&str; 11] =
    ["crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "zip", "enc", "cty"];

/// The claims of a token of the type `typ` (`at+jwt`, say) that a key of `keys` has signed.
///
/// Only the signature and the form are checked; what the claims say is the caller's to judge.
///
/// # Errors
/// [`VerifyError::Invalid`] and [`VerifyError::UnknownKey`].
///
/// # Security
/// No key is ever taken from a token, nor fetched from where it says. The payload is not looked at
/// before the signature is known to be right.
pub fn verify(token: &str, typ: &str, keys: &KeySet) -> Result<Map<String, Value>, VerifyError> {
    let parts = Parts::split(token)?;
    let header = Header::read(parts.header)?;
    if !header.is_type(typ) {
        return Err(Invalid::Type.into());
    }
    let key = keys.find(&header.kid).ok_or(VerifyError::UnknownKey)?;
    if !keys.is_algorithm(key, &header.alg) {
        return Err(Invalid::Algorithm.into());
    }
    parts.check(key)?;
    let payload = base64url::decode(parts.payload).ok_or(Invalid::Form)?;
    Ok(json::object(&payload).ok_or(Invalid::Claims)?)
}

/// A token in its three parts.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// Header and payload with the dot between them.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, Invalid> {
        if token.len() > MAX_LEN {
            return Err(Invalid::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(Invalid::Form)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let parts = [header, payload, signature];
        if parts.iter().all(|part| !part.is_empty() && part.bytes().all(is_plain)) {
            Ok(Self { header, payload, signature, signed })
        } else {
            Err(Invalid::Form)
        }
    }

    fn check(&self, key: &VerifyingKey) -> Result<(), Invalid> {
        let signature = base64url::decode(self.signature).ok_or(Invalid::Form)?;
        let is_right = key.is_signature(self.signed.as_bytes(), &signature);
        is_right.then_some(()).ok_or(Invalid::Signature)
    }
}

/// What a header says.
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

impl Header {
    fn read(part: &str) -> Result<Self, Invalid> {
        let bytes = base64url::decode(part).ok_or(Invalid::Form)?;
        let mut members = json::object(&bytes).ok_or(Invalid::Header)?;
        if REFUSED.iter().any(|name| members.contains_key(*name)) {
            return Err(Invalid::Header);
        }
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let alg = text("alg").ok_or(Invalid::Algorithm)?;
        let typ = text("typ").ok_or(Invalid::Type)?;
        let kid = text("kid").filter(|kid| kid.len() <= jwk::MAX_KID).ok_or(Invalid::Header)?;
        Ok(Self { alg, kid, typ })
    }

    /// RFC 9068 §4: `at+jwt` or `application/at+jwt`, in any case.
    fn is_type(&self, typ: &str) -> bool {
        const PREFIX: &str = "application/";
        let short = match self.typ.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => &self.typ,
        };
        short.eq_ignore_ascii_case(typ)
    }
}
