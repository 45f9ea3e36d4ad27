//! Base64url without padding, canonical or refused, into arrays of a known length.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Encodes `bytes` as base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes canonical base64url of exactly `N` bytes; anything else is `None`.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = [0_u8; N];
    decode_into(text, &mut out).then_some(out)
}

/// Decodes canonical base64url of exactly `N` bytes to where they belong; answers whether it was.
/// On the hot path this spares two copies.
pub(crate) fn decode_into<const N: usize>(text: &[u8], out: &mut [u8; N]) -> bool {
    text.len() == (N * 4).div_ceil(3)
        && URL_SAFE_NO_PAD.decode_slice(text, out).is_ok_and(|length| length == N)
}

/// Writes fixed byte arrays as base64url text in stored formats.
pub(crate) mod serde_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        super::decode(text.as_bytes()).ok_or_else(|| D::Error::custom("not canonical base64url"))
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn only_the_canonical_form_of_the_right_length_decodes() {
        let text = encode(&[1, 2, 3, 4]);
        assert_eq!(decode::<4>(text.as_bytes()), Some([1, 2, 3, 4]));
        assert_eq!(decode::<3>(text.as_bytes()), None);
        assert_eq!(decode::<4>(b"AQIDBB"), None, "trailing bits set");
        assert_eq!(decode::<4>(b"AQIDBA=="), None, "padding");
        assert_eq!(decode::<4>(b"AQID+A"), None, "other alphabet");
    }
}
