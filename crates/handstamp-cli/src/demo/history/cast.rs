//! Who is in the history. Names and addresses are made up; the addresses are those set aside for
//! examples (RFC 5737).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use handstamp_core::record::{Client, Location};

/// Somebody with an account.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) subject: &'static str,
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) roles: &'static [&'static str],
    /// Where, and from which address.
    place: (&'static str, &'static str, u8),
    devices: &'static [Device],
}

/// What somebody signs in on: in words, and how it calls itself.
type Device = (&'static str, &'static str);

const FIREFOX: Device =
    ("Firefox on Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
const CHROME: Device = (
    "Chrome on Windows",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
);
const SAFARI: Device = (
    "Safari on iPhone",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
);
const ANDROID: Device = (
    "Chrome on Android",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
);
const MAC: Device = (
    "Safari on Mac",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
);

const fn person(
    subject: &'static str,
    name: &'static str,
    email: &'static str,
    place: (&'static str, &'static str, u8),
    devices: &'static [Device],
) -> Person {
    Person { subject, name, email, roles: &[], place, devices }
}

/// Everybody with an account, besides those who can sign in to the shop.
pub(super) const PEOPLE: [Person; 10] = [
    person("amara", "Amara Diallo", "amara@nightfair.example", ("FR", "Lyon", 11), &[SAFARI, MAC]),
    person("bruno", "Bruno Costa", "bruno@nightfair.example", ("PT", "Porto", 12), &[ANDROID]),
    person(
        "chiara",
        "Chiara Neri",
        "chiara@nightfair.example",
        ("IT", "Turin", 13),
        &[CHROME, ANDROID],
    ),
    person("dmitri", "Dmitri Sokol", "dmitri@nightfair.example", ("EE", "Tartu", 14), &[FIREFOX]),
    person(
        "eilidh",
        "Eilidh Ross",
        "eilidh@nightfair.example",
        ("GB", "Dundee", 15),
        &[CHROME, SAFARI],
    ),
    person("fumiko", "Fumiko Arai", "fumiko@nightfair.example", ("JP", "Sapporo", 16), &[SAFARI]),
    person(
        "goran",
        "Goran Babić",
        "goran@nightfair.example",
        ("HR", "Split", 17),
        &[FIREFOX, ANDROID],
    ),
    person(
        "hannah",
        "Hannah Vogt",
        "hannah@nightfair.example",
        ("DE", "Leipzig", 18),
        &[FIREFOX, SAFARI, MAC],
    ),
    person("ivy", "Ivy Nakamura", "ivy@nightfair.example", ("US", "Portland", 19), &[MAC, SAFARI]),
    Person {
        roles: &["clerk"],
        ..person(
            "jasper",
            "Jasper de Wit",
            "jasper@nightfair.example",
            ("NL", "Utrecht", 20),
            &[CHROME],
        )
    },
];

impl Person {
    /// From where they sign in on one of their devices.
    pub(super) fn client(&self, device: usize) -> Client {
        let (country, city, host) = self.place;
        let (words, user_agent) = self.devices[device % self.devices.len()];
        Client {
            ip: Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, host))),
            user_agent: Some(user_agent.into()),
            device: Some(words.into()),
            location: Some(Arc::new(Location {
                country: Some(country.into()),
                region: None,
                city: Some(city.into()),
            })),
            fingerprint: None,
        }
    }
}

/// Somebody who has no account, and tries.
pub(super) fn stranger() -> Client {
    Client {
        ip: Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66))),
        user_agent: Some("python-requests/2.32".into()),
        device: None,
        location: None,
        fingerprint: None,
    }
}
