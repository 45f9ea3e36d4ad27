//! What the end of a connection means.

use super::message::Ending;

/// What becomes of a connection that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is made anew.
    Broken,
    /// The token is not good enough: renewed once, then made anew.
    TokenRefused(u16),
    /// It has ended.
    Over(Ending),
}

/// What a code of closing means (RFC 6455, 7.4; IANA's registry for 3000 and on; 44xx as servers
/// use them, after HTTP).
pub(super) const fn of_code(code: Option<u16>) -> Verdict {
    match code {
        Some(1000) => Verdict::Over(Ending::There),
        // 1008 is what many servers have for every "no".
        Some(code @ (1008 | 3000 | 4401)) => Verdict::TokenRefused(code),
        // What we sent, or what we may do, would be the same again.
        Some(code @ (1002 | 1003 | 1007 | 1009 | 1010 | 3003 | 4403)) => {
            Verdict::Over(Ending::Refused { code })
        }
        _ => Verdict::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a13_a_server_that_restarts_is_not_one_that_refuses() {
        for code in [None, Some(1001), Some(1005), Some(1006), Some(1011), Some(1012), Some(1013)] {
            assert_eq!(of_code(code), Verdict::Broken, "{code:?}");
        }
        for code in [1008, 3000, 4401] {
            assert_eq!(of_code(Some(code)), Verdict::TokenRefused(code));
        }
        for code in [1002, 1009, 3003, 4403] {
            assert_eq!(of_code(Some(code)), Verdict::Over(Ending::Refused { code }));
        }
        assert_eq!(of_code(Some(1000)), Verdict::Over(Ending::There));
    }
}
