//! What must be nowhere, and a search for any piece of it.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// Pieces of text and of raw bytes that are long enough not to be there by chance.
const TEXT: usize = 16;
const RAW: usize = 12;

/// Where in a token's text, and in its bytes, check and proof begin: what is before is public.
const SECRET_TEXT: usize = 32;
const SECRET_RAW: usize = 24;

/// What must be nowhere.
#[derive(Default)]
pub(super) struct Secrets {
    pieces: HashSet<Vec<u8>>,
    /// As bytes are printed: decimal lists and hexadecimal.
    printed: HashSet<String>,
    pub(super) count: usize,
}

impl Secrets {
    /// A session cookie or refresh token.
    pub(super) fn add_token(&mut self, text: &str) {
        let text = text.strip_prefix("hsr_").unwrap_or(text);
        let raw = BASE64.decode(text).unwrap();
        self.add(&text.as_bytes()[SECRET_TEXT..], &raw[SECRET_RAW..]);
    }

    /// A secret of which every part is one: a key, a CSRF token, an attempt id.
    pub(super) fn add_whole(&mut self, text: &str) {
        let raw = BASE64.decode(text).unwrap_or_default();
        self.add(text.as_bytes(), &raw);
    }

    fn add(&mut self, text: &[u8], raw: &[u8]) {
        self.count += 1;
        self.pieces.extend(text.windows(TEXT).map(<[u8]>::to_vec));
        self.pieces.extend(raw.windows(RAW).map(<[u8]>::to_vec));
        for bytes in [text.get(..RAW), raw.get(..RAW), raw.get(8..8 + RAW)].into_iter().flatten() {
            let listed: Vec<_> = bytes.iter().map(u8::to_string).collect();
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            self.printed.extend([listed.join(", "), hex.concat()]);
        }
    }

    /// Where the first piece of a secret is, in bytes of any kind.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        let starts = 0..bytes.len().saturating_sub(RAW - 1);
        starts.into_iter().find(|at| {
            [RAW, TEXT].iter().any(|len| {
                bytes.get(*at..at + len).is_some_and(|piece| self.pieces.contains(piece))
            })
        })
    }

    /// The first secret in a text, as text or as printed bytes.
    pub(super) fn find_printed(&self, text: &str) -> Option<String> {
        if let Some(at) = self.find(text.as_bytes()) {
            return Some(String::from_utf8_lossy(&text.as_bytes()[at..at + RAW]).into_owned());
        }
        let lower = text.to_lowercase();
        self.printed.iter().find(|piece| lower.contains(*piece)).cloned()
    }
}

#[test]
fn a_piece_of_a_secret_is_found_however_it_is_written() {
    let raw: Vec<u8> = (100..156).collect();
    let text = BASE64.encode(&raw);
    let mut secrets = Secrets::default();
    secrets.add_token(&text);
    assert!(secrets.find(text.as_bytes()).is_some());
    assert!(secrets.find(&[b"around ", &raw[30..44], b" it"].concat()).is_some());
    assert!(secrets.find(&text.as_bytes()[..44]).is_none(), "the public part is no secret");
    assert!(secrets.find(&raw[..32]).is_none());
    assert!(secrets.find_printed(&format!("x {:?} x", &raw[20..])).is_some());
    assert!(secrets.find_printed(&format!("{:?}", text.as_bytes())).is_some());
    assert!(secrets.find_printed(&format!("saw {}", &text[40..60])).is_some());
}
