//! What a request tells of the machine it comes from.

use std::sync::Arc;

use handstamp_core::text::plain;
use http::HeaderValue;

/// The longest user agent that is kept, in bytes.
const MAX_USER_AGENT: usize = 512;

/// A `User-Agent` as it may be kept and shown: text without control characters, of 512 bytes at
/// most. Nothing remaining is `None`.
///
/// # Security
/// Answers forged log lines and terminal escapes; whoever shows it still has to escape it for
/// the medium.
pub(crate) fn user_agent(header: &HeaderValue) -> Option<Arc<str>> {
    let bytes = header.as_bytes();
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2 * MAX_USER_AGENT)]);
    plain(&text, MAX_USER_AGENT).map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<String> {
        user_agent(&HeaderValue::from_bytes(bytes).unwrap()).map(|text| text.to_string())
    }

    #[test]
    fn a_user_agent_is_kept_as_it_is() {
        assert_eq!(read(b"Mozilla/5.0 (X11; Linux)").unwrap(), "Mozilla/5.0 (X11; Linux)");
        assert_eq!(read("Büro/1".as_bytes()).unwrap(), "Büro/1");
    }

    #[test]
    fn s105_it_cannot_break_a_line_or_a_terminal() {
        assert_eq!(read(b"a\tb\xff\x80c").unwrap(), "abc");
        assert_eq!(read("a\u{2028}b\u{9b}31mc\u{202e}d".as_bytes()).unwrap(), "ab31mcd");
        assert_eq!(read("\u{2028} \t".as_bytes()), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn it_has_512_bytes_at_most_and_no_half_letters() {
        assert_eq!(read(&[b'a'; 10_000]).unwrap().len(), 512);
        let wide = "a".to_owned() + &"é".repeat(400);
        assert_eq!(read(wide.as_bytes()).unwrap().len(), 511);
    }
}
