//! base64url without padding, canonical: one text per bytes (RFC 7515 §2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes, unless there is padding, another character, or a bit that belongs to no byte.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s62_only_the_canonical_text_is_read() {
        assert_eq!(decode("AQ"), Some(vec![1]));
        assert_eq!(encode([1]), "AQ");
        for bad in ["AR", "AQ==", "A", "A+", "A/", " AQ", "AQ\n"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }
}
