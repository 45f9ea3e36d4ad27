//! What the rules look at: what just happened, and what is known from before.

use std::net::IpAddr;
use std::sync::Arc;

use handstamp_core::record::Client;
use handstamp_core::time::Timestamp;

use crate::geo::{Place, Point};

/// Somebody signed in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BeginSignal<'a> {
    /// When.
    pub at: Timestamp,
    /// On what.
    pub device: Device<'a>,
    /// From which source, see [`source_of`].
    pub source: Option<IpAddr>,
    /// From where.
    pub place: Option<&'a Place>,
    /// What failed before, for the same subject and from the same address.
    pub tally: Tally,
}

/// A session was refreshed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RefreshSignal<'a> {
    /// When.
    pub at: Timestamp,
    /// What the session began on, in words made from its user agent.
    pub device_before: Option<&'a str>,
    /// What it goes on with.
    pub device: Option<&'a str>,
    /// Where and when it began.
    pub began: &'a Seen,
    /// Where it is now.
    pub place: Option<&'a Place>,
}

/// A sign-in failed, and was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailureSignal {
    /// What is counted, this one included.
    pub tally: Tally,
    /// Whether the failures of the subject have not been told of at this level.
    pub is_new_by_subject: bool,
    /// Whether those from the address have not.
    pub is_new_by_address: bool,
    /// Whether the subjects tried from the address have not.
    pub is_new_by_subjects: bool,
}

/// What is counted within the windows of the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Failed sign-ins of the subject, or of the name that was typed.
    pub by_subject: u32,
    /// Failed sign-ins from the address.
    pub by_address: u32,
    /// Subjects and names tried from the address, without those that signed in from there before.
    pub subjects: u32,
}

/// A device, as far as it can be told from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Device<'a> {
    /// What it is called.
    pub words: Option<&'a str>,
    /// What the application tells it from others of its kind by.
    pub fingerprint: Option<&'a str>,
}

impl<'a> Device<'a> {
    /// The device of a client.
    pub fn of(client: &'a Client) -> Self {
        Self { words: client.device.as_deref(), fingerprint: client.fingerprint.as_deref() }
    }

    /// Whether anything is known of it.
    pub const fn is_known(self) -> bool {
        self.words.is_some() || self.fingerprint.is_some()
    }

    /// Whether `other` is the same: by their fingerprints where both have one, else by what they
    /// are called.
    pub fn is_same(self, other: Self) -> bool {
        match (self.fingerprint, other.fingerprint) {
            (Some(one), Some(other)) => one == other,
            _ => self.words.is_some() && self.words == other.words,
        }
    }
}

/// An earlier sign-in, as far as it is known.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// On what, in words.
    pub device: Option<Arc<str>>,
    /// What the application told the device from others by.
    pub fingerprint: Option<Arc<str>>,
    /// From which source.
    pub source: Option<IpAddr>,
    /// From which country.
    pub country: Option<Arc<str>>,
    /// From where on the globe.
    pub point: Option<Point>,
}

/// The earlier sign-ins of a subject, without those that a rule stopped.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct History(pub Vec<Seen>);

impl Seen {
    /// On what.
    pub fn device(&self) -> Device<'_> {
        Device { words: self.device.as_deref(), fingerprint: self.fingerprint.as_deref() }
    }
}

impl History {
    /// Whether the subject has signed in on `device` before.
    pub fn knows_device(&self, device: Device<'_>) -> bool {
        self.0.iter().any(|seen| device.is_same(seen.device()))
    }

    /// Whether the subject has signed in from `country` before.
    pub fn knows_country(&self, country: &str) -> bool {
        self.0.iter().any(|seen| seen.country.as_deref() == Some(country))
    }

    /// Whether the subject has signed in from this source before.
    pub fn knows_source(&self, source: IpAddr) -> bool {
        self.0.iter().any(|seen| seen.source == Some(source))
    }

    /// The latest sign-in of which it is known where on the globe it was.
    pub fn last_place(&self) -> Option<(&Seen, Point)> {
        let placed = self.0.iter().filter_map(|seen| Some((seen, seen.point?)));
        placed.max_by_key(|(seen, _)| seen.at)
    }
}

/// The source that an address stands for: itself, or for IPv6 its /64, out of which one machine
/// takes as many addresses as it likes.
pub fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_devices_are_told_apart_by_fingerprint_where_both_have_one() {
        let device = |words, fingerprint| Device { words, fingerprint };
        let firefox = Some("Firefox on Linux");
        assert!(device(firefox, Some("a")).is_same(device(Some("curl"), Some("a"))));
        assert!(!device(firefox, Some("a")).is_same(device(firefox, Some("b"))));
        assert!(device(firefox, Some("a")).is_same(device(firefox, None)));
        assert!(!device(firefox, None).is_same(device(Some("curl"), None)));
        assert!(!device(None, None).is_same(device(None, None)), "nothing is not the same thing");
    }

    #[test]
    fn addresses_of_one_machine_are_one_source() {
        let source = |text: &str| source_of(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
