//! Where a request comes from, and what is known of the machine behind it.
//!
//! Nothing in here trusts a header by its name. An address, a method or a host that a proxy wrote
//! counts only when the connection comes from a proxy that the operator named, and what a client
//! may have written in front of it never does.

mod device;
mod forwarded;
mod original;
mod proxies;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub use device::device_words;
use handstamp_core::record::Client;
use handstamp_core::text::plain;
pub use original::{Original, OriginalError, Scheme};
pub use proxies::{ProxyError, TrustedProxies};

use crate::geo::Geo;

/// The longest user agent that is kept, in bytes.
pub const MAX_USER_AGENT: usize = 512;

/// The longest name of a device that is kept, in bytes: what an application calls it, or what its
/// holder does.
pub const MAX_LABEL: usize = 128;

/// A user agent as it may be kept: one line of at most 512 bytes. Nothing remaining is `None`.
pub fn user_agent(text: &str) -> Option<Arc<str>> {
    plain(text, MAX_USER_AGENT).map(Arc::from)
}

/// A label or a `device_info` as it may be kept: one line of at most 128 bytes. Nothing remaining
/// is `None`.
pub fn label(text: &str) -> Option<Arc<str>> {
    plain(text, MAX_LABEL).map(Arc::from)
}

/// What is kept of a machine: its address, its user agent, a name for it, its place.
///
/// `device_info` is what the application calls it; without one the name is made from the user
/// agent ([`device_words`]). The place comes from `geo`, and is `None` without a file of places.
///
/// # Security
/// Every text is cleaned here (OWASP ASVS 16.4.1), so that nothing a client sends reaches a record
/// or the audit log as it came.
pub fn describe(
    address: Option<IpAddr>,
    agent: Option<&str>,
    device_info: Option<&str>,
    geo: &Geo,
) -> Client {
    let ip = address.map(|address| address.to_canonical());
    let user_agent = agent.and_then(user_agent);
    let named = device_info.and_then(label);
    let device = named.or_else(|| device_words(user_agent.as_deref()?).map(Arc::from));
    let location = ip.and_then(|ip| geo.place(ip)).map(|place| place.location);
    Client { ip, user_agent, device, location, fingerprint: None }
}

/// The network of an address: IPv4 /24, IPv6 /48.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 80))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s105_what_a_client_sends_is_kept_as_harmless_lines() {
        let agent = "curl/8.1\r\nforged: line\u{202e}";
        let client = describe(None, Some(agent), Some("my\u{2028}phone\0"), &Geo::none());
        assert_eq!(client.user_agent.as_deref(), Some("curl/8.1forged: line"));
        assert_eq!(client.device.as_deref(), Some("myphone"));
        assert_eq!(label(&"x".repeat(1000)).map(|text| text.len()), Some(MAX_LABEL));
        assert_eq!(user_agent(&"x".repeat(1000)).map(|text| text.len()), Some(MAX_USER_AGENT));
        assert_eq!((label("\r\n"), user_agent(" ")), (None, None));
    }

    #[test]
    fn a_device_is_named_by_its_user_agent_unless_the_application_names_it() {
        let unnamed = describe(None, Some("curl/8.1"), None, &Geo::none());
        let blank = describe(None, Some("curl/8.1"), Some(" "), &Geo::none());
        let named = describe(None, Some("curl/8.1"), Some("The till"), &Geo::none());
        assert_eq!(unnamed.device.as_deref(), Some("curl"));
        assert_eq!(blank.device.as_deref(), Some("curl"));
        assert_eq!(named.device.as_deref(), Some("The till"));
        assert_eq!(describe(None, None, None, &Geo::none()), Client::default());
    }

    #[test]
    fn an_address_is_kept_in_its_shortest_form() {
        let mapped = "::ffff:192.0.2.7".parse().ok();
        let client = describe(mapped, None, None, &Geo::none());
        assert_eq!(client.ip, "192.0.2.7".parse().ok());
    }

    #[test]
    fn a_network_is_what_is_left_of_an_address() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0"),
            ("::ffff:192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ] {
            assert_eq!(network(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        }
    }
}
