//! Where a webhook sends to: what may be written there.

use std::net::IpAddr;

use reqwest::Url;

use super::address::Reach;

/// The longest address of a receiver, in bytes.
const MOST: usize = 2048;

/// A receiver's address that keeps the rules.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    url: Url,
    reach: Reach,
}

impl Target {
    /// Takes `text` as an address: `https`, or `http` within private networks where those are
    /// allowed; without credentials, which would be stored and listed, and without a fragment.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(text: &str, allows_private: bool) -> Result<Self, &'static str> {
        let url = Some(text).filter(|text| text.len() <= MOST).and_then(|it| it.parse().ok());
        let url: Url = url.ok_or("not a URL of at most 2048 bytes")?;
        let reach = match (url.scheme(), allows_private) {
            ("https", false) => Reach::Public,
            ("https", true) => Reach::Anywhere,
            ("http", true) => Reach::Private,
            _ => return Err("the URL must begin with https://"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL must not hold a user name or a password");
        }
        if url.fragment().is_some() {
            return Err("the URL must not hold a fragment");
        }
        let target = Self { url, reach };
        match target.host() {
            None => Err("the URL must name a host"),
            Some(Host::Address(address)) if !reach.allows(address) => Err(NOT_ALLOWED),
            Some(_) => Ok(target),
        }
    }

    /// The address.
    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    /// Where a request to it may go.
    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }

    /// Who is called. Whatever way of writing an address the parser knows (`0x7f.1`, `127.1`,
    /// `2130706433`) has become an address here.
    pub(super) fn host(&self) -> Option<Host<'_>> {
        let host = self.url.host_str()?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(bare.parse().map_or(Host::Name(host), Host::Address))
    }
}

/// Whom an address names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Host<'a> {
    /// By number: no name is looked up, so that the number itself is to be judged.
    Address(IpAddr),
    /// By name.
    Name(&'a str),
}

/// Said of a receiver that must not be called.
pub(super) const NOT_ALLOWED: &str = "the address of the receiver is not allowed: private, \
    loopback and link-local networks are reached with webhooks.allow_private_networks only, and \
    the metadata of clouds never";

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> &'static str {
        Target::parse(text, false).err().unwrap_or("good")
    }

    #[test]
    fn b12_only_https_to_the_internet_is_taken_unless_more_is_allowed() {
        assert_eq!(why("https://hooks.example.com:8443/in?key=1"), "good");
        assert_eq!(why("http://hooks.example.com/"), "the URL must begin with https://");
        assert_eq!(why("ftp://hooks.example.com/"), "the URL must begin with https://");
        assert_eq!(why("file:///etc/passwd"), "the URL must begin with https://");
        let inside = Target::parse("http://127.0.0.1:1/", true).unwrap();
        assert_eq!(inside.reach(), Reach::Private);
        assert!(
            Target::parse("http://1.1.1.1/", true).is_err(),
            "not in the clear to the internet"
        );
        assert_eq!(Target::parse("https://10.0.0.1/", true).unwrap().reach(), Reach::Anywhere);
    }

    #[test]
    fn b12_an_address_of_this_machine_is_refused_in_every_way_of_writing_it() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "2130706433",
            "0x7f000001",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[::]",
            "0",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "10.1.2.3",
            "192.168.0.1",
            "127.0.0.1.",
            "\u{ff11}27.0.0.1",
        ] {
            assert_eq!(why(&format!("https://{host}/")), NOT_ALLOWED, "{host}");
        }
        let metadata = Target::parse("http://169.254.169.254/latest/meta-data", true);
        assert_eq!(metadata.err(), Some(NOT_ALLOWED), "even then");
    }

    #[test]
    fn credentials_fragments_and_what_is_no_url_are_refused() {
        assert!(why("https://ada@example.com/").contains("user name"));
        assert!(why("https://:pw@example.com/").contains("user name"));
        assert!(why("https://example.com/#x").contains("fragment"));
        assert!(why("example.com").contains("URL"));
        assert!(why("https://").contains("URL"));
        assert!(why(&format!("https://example.com/{}", "a".repeat(2048))).contains("2048"));
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        let host = |text: &str| format!("{:?}", Target::parse(text, true).unwrap().host());
        assert_eq!(host("http://[::1]:80/"), "Some(Address(::1))");
        assert_eq!(host("http://localhost/"), "Some(Name(\"localhost\"))");
    }
}
