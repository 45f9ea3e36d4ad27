//! What a device is called: "Firefox on Linux".

use woothee::parser::{Parser, WootheeResult};

/// The longest name of a program that is taken for one, in bytes.
const MAX_PRODUCT: usize = 40;

/// What nobody needs to be told: every browser begins with it.
const EVERYBODY: &str = "Mozilla";

/// What woothee answers where it knows nothing.
const UNKNOWN: &str = "UNKNOWN";

/// Words for the device behind a `User-Agent`, as a person would say it: "Firefox on Linux",
/// "iPhone, Safari", "curl"; `None` when it tells nothing.
///
/// The words are of a few letters only (ASCII; at most 80 bytes), and leave versions out, so that an
/// update does not make another device of a device.
///
/// ```
/// use handstamp_server::client::device_words;
/// assert_eq!(device_words("curl/8.1").as_deref(), Some("curl"));
/// assert_eq!(device_words(""), None);
/// ```
pub fn device_words(user_agent: &str) -> Option<String> {
    let known = Parser::new().parse(user_agent).unwrap_or_default();
    let system = system(known.os);
    match (browser(&known), product(user_agent), system) {
        (Some(browser), _, Some(system)) => Some(both(browser, system)),
        (Some(browser), _, None) => Some(browser.to_owned()),
        (None, Some(program), Some(system)) => Some(both(program, system)),
        (None, Some(program), None) => Some(program.to_owned()),
        (None, None, Some(system)) => Some(both("A browser", system)),
        (None, None, None) => None,
    }
}

fn both(program: &str, system: &str) -> String {
    match system {
        "iPhone" | "iPad" | "iPod" => format!("{system}, {program}"),
        other => format!("{program} on {other}"),
    }
}

/// The name of a browser or a crawler, where woothee knows one by name.
fn browser<'a>(known: &WootheeResult<'a>) -> Option<&'a str> {
    let is_kind_of_thing = matches!(known.name, "HTTP Library" | "misc crawler" | "RSSReader");
    let is_named = !known.name.is_empty() && known.name != UNKNOWN && !is_kind_of_thing;
    (is_named && known.category != "misc").then_some(known.name)
}

fn system(os: &str) -> Option<&str> {
    match os {
        "" | UNKNOWN => None,
        "Mac OSX" => Some("macOS"),
        windows if windows.starts_with("Windows") => Some("Windows"),
        other => Some(other),
    }
}

/// The name of the program that a user agent begins with: `curl` of `curl/8.1`.
fn product(user_agent: &str) -> Option<&str> {
    let end = user_agent.find(['/', ' ', '(', ';']).unwrap_or(user_agent.len());
    let name = &user_agent[..end];
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && is_plain;
    (is_name && name != EVERYBODY && name.len() <= MAX_PRODUCT).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::device_words;

    fn words(user_agent: &str) -> String {
        device_words(user_agent).unwrap_or_else(|| "nothing".into())
    }

    #[test]
    fn usual_browsers_are_called_what_people_call_them() {
        for (agent, called) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/156.0.0.0 Safari/537.36",
                "Chrome on Linux",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 \
                 Firefox/140.0",
                "Firefox on macOS",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "iPhone, Safari",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) CriOS/156.0.0.0 Mobile/15E148 Safari/604.1",
                "iPad, Chrome",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 \
                 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
        ] {
            assert_eq!(words(agent), called);
        }
    }

    #[test]
    fn programs_are_called_by_their_names() {
        assert_eq!(words("curl/8.1"), "curl");
        assert_eq!(words("python-requests/2.32"), "python-requests");
        assert_eq!(words("Dart/3.6 (dart:io)"), "Dart");
        assert_eq!(words("okhttp/4.12.0"), "okhttp");
        assert_eq!(words("Jet"), "Jet");
        assert_eq!(words("Jet/2.1 (iPhone; iOS 18.0; Scale/3.00)"), "iPhone, Jet");
    }

    #[test]
    fn what_tells_nothing_has_no_words() {
        for agent in ["", "-", " ", "<script>alert(1)</script>", "Mozilla/5.0", "\u{202e}x", "1/2"]
        {
            assert_eq!(words(agent), "nothing", "{agent:?}");
        }
    }

    #[test]
    fn an_update_is_no_other_device() {
        let version = |number: u32| {
            words(&format!(
                "Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0"
            ))
        };
        assert_eq!(version(140), version(141));
        assert_eq!(words("curl/8.1"), words("curl/8.2"));
    }

    #[test]
    fn words_are_short_and_harmless_whatever_comes() {
        for agent in ["a".repeat(10_000), "A/".repeat(5_000), "é".repeat(600)] {
            let words = words(&agent);
            assert!(words.len() <= 80 && words.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
}
