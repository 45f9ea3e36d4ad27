//! Text that somebody outside wrote, made harmless before it is kept.

/// `text` without whatever could break a line, start an escape sequence of a terminal or turn the
/// direction of what stands around it; trimmed, and of at most `max_bytes` bytes, cut between
/// characters. Nothing remaining is `None`.
///
/// Letters of every script, emoji and the joiners inside them stay as they are.
///
/// ```
/// use handstamp_core::text::plain;
/// assert_eq!(plain(" Ada's\r\nlaptop\u{202e} ", 100).as_deref(), Some("Ada'slaptop"));
/// assert_eq!(plain("\u{2028}", 100), None);
/// ```
///
/// # Security
/// Answers forged log lines and terminal codes (OWASP ASVS 16.4.1), and names that read backwards.
/// Whoever shows the text still has to escape it for the medium.
pub fn plain(text: &str, max_bytes: usize) -> Option<String> {
    let mut clean = String::with_capacity(text.len().min(max_bytes));
    // A space in front must not count, or a cut could leave more room than there is.
    for c in text.trim_start_matches(|c| !is_plain(c) || c.is_whitespace()).chars() {
        if clean.len() + c.len_utf8() > max_bytes {
            break;
        }
        if is_plain(c) {
            clean.push(c);
        }
    }
    clean.truncate(clean.trim_end().len());
    (!clean.is_empty()).then_some(clean)
}

/// Whether `c` cannot break a line, start an escape sequence or turn the direction of text.
fn is_plain(c: char) -> bool {
    let breaks = matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}');
    let hides = matches!(c, '\u{fffd}' | '\u{feff}');
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    !c.is_control() && !breaks && !hides && !turns
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in ["Firefox on Linux", "Büro/1", "日本語", "👩‍💻 désk", "ada@example.com"]
        {
            assert_eq!(plain(text, 100).as_deref(), Some(text));
        }
    }

    #[test]
    fn s105_nothing_breaks_a_line_a_terminal_or_the_direction() {
        assert_eq!(plain("a\r\nb\u{85}c\u{2028}d\u{2029}e", 100).as_deref(), Some("abcde"));
        assert_eq!(plain("\u{1b}[31mred\u{9b}0m", 100).as_deref(), Some("[31mred0m"));
        assert_eq!(
            plain("txt.\u{202e}exe\u{2066}\u{61c}\u{200f}", 100).as_deref(),
            Some("txt.exe")
        );
        assert_eq!(plain("nul\0led\u{7f}", 100).as_deref(), Some("nulled"));
    }

    #[test]
    fn what_remains_empty_is_nothing() {
        for text in ["", "   ", "\u{2028} \t", "\u{202e}\u{feff}\u{fffd}"] {
            assert_eq!(plain(text, 100), None, "{text:?}");
        }
        assert_eq!(plain("é", 1), None);
    }

    #[test]
    fn it_is_cut_between_letters_and_never_longer_than_said() {
        assert_eq!(plain("aéé", 4).as_deref(), Some("aé"));
        assert_eq!(plain("  ab cd", 3).as_deref(), Some("ab"));
        for max in 0..12 {
            let cut = plain(" ä\u{202e}ö ü €", max).unwrap_or_default();
            assert!(cut.len() <= max && cut == cut.trim());
        }
    }
}
