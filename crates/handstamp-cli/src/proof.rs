//! What ties the code that a browser brings to the terminal that asked for it (RFC 7636, S256).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// What is told in the open before the sign-in, of a verifier that is told only after it.
pub(crate) fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Eight letters and digits that terminal and page both show, so that whoever looks at both sees
/// that they belong together: `K7QX-93BM`. Without I, L, O and U, which are read as others.
pub(crate) fn word(challenge: &str) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digest = Sha256::digest([b"handstamp word ", challenge.as_bytes()].concat());
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    let mut word: String = digest.iter().take(8).map(letter).collect();
    word.insert(4, '-');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_appendix_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_word_is_short_enough_to_compare() {
        let word = word("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!((word.len(), word.find('-')), (9, Some(4)));
        assert_ne!(word, super::word("another"));
    }
}
