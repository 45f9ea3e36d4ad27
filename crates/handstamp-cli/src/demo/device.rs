//! What a device is called: "Firefox on Linux".

use woothee::parser::{Parser, WootheeResult};

/// Words for the device behind a `User-Agent`.
pub(super) fn words(user_agent: &str) -> String {
    Parser::new().parse(user_agent).map_or_else(|| "Unknown device".into(), |known| say(&known))
}

fn say(known: &WootheeResult<'_>) -> String {
    match (known.name, known.category) {
        ("UNKNOWN", _) => "Unknown device".into(),
        (_, "misc" | "crawler") => "A program".into(),
        (browser, _) => format!("{browser} on {}", system(known.os)),
    }
}

fn system(os: &str) -> &str {
    match os {
        "Mac OSX" => "macOS",
        "UNKNOWN" => "something unknown",
        windows if windows.starts_with("Windows") => "Windows",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn usual_browsers_are_called_what_people_call_them() {
        let linux = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/156.0.0.0 Safari/537.36";
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 \
                   Firefox/140.0";
        assert_eq!(words(linux), "Chrome on Linux");
        assert_eq!(words(mac), "Firefox on macOS");
    }

    #[test]
    fn what_is_no_browser_is_not_called_one() {
        assert_eq!(words("curl/8.1"), "A program");
        assert_eq!(words("<script>alert(1)</script>"), "Unknown device");
        assert_eq!(words(""), "Unknown device");
    }
}
