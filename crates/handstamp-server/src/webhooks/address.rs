//! Which addresses a webhook may reach: no request of ours goes where only we get in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Where an address lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Zone {
    /// On the internet.
    Public,
    /// This machine or a network of somebody's own.
    Private,
    /// Nothing that anybody may be sent to: many receivers, none, or the metadata of a cloud's
    /// machines, which gives credentials away.
    Never,
}

/// Which zones a request may go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// The internet only.
    Public,
    /// The internet and networks of one's own.
    Anywhere,
    /// Networks of one's own only: what goes there need not be encrypted.
    Private,
}

impl Reach {
    /// Whether a request may go to `address`.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match zone(address) {
            Zone::Public => self != Self::Private,
            Zone::Private => self != Self::Public,
            Zone::Never => false,
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// What of IPv4 is not on the internet (IANA's registry of special purposes), but for metadata.
const PRIVATE_V4: [Ipv4Net; 12] = [
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
];

/// "This network", many receivers, reserved, everybody; and where clouds answer their machines.
const NEVER_V4: [Ipv4Net; 8] = [
    v4(0, 0, 0, 0, 8),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
    v4(169, 254, 169, 254, 32),
    v4(169, 254, 170, 2, 32),
    v4(100, 100, 100, 200, 32),
    v4(168, 63, 129, 16, 32),
    v4(192, 0, 0, 192, 32),
];

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// All of IPv6 that is given out for the internet.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 0, 3);

/// What of that is for protocols, for documents, or a tunnel to an address of IPv4.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 0, 23),
    v6(0x2001, 0x0db8, 0, 0, 32),
    v6(0x2002, 0, 0, 0, 16),
    v6(0x3fff, 0, 0, 0, 20),
];

/// Networks of somebody's own and single links.
const PRIVATE_V6: [Ipv6Net; 2] = [v6(0xfc00, 0, 0, 0, 7), v6(0xfe80, 0, 0, 0, 10)];

/// Where AWS answers its machines over IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The two ways to write an address of IPv4 as one of IPv6: mapped, and through NAT64.
const MAPPED_V4: Ipv6Net = Ipv6Net::new_assert(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96);
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 0, 96);

/// Where `address` lies.
fn zone(address: IpAddr) -> Zone {
    match address {
        IpAddr::V4(address) => zone_v4(address),
        IpAddr::V6(address) => zone_v6(address),
    }
}

fn zone_v4(address: Ipv4Addr) -> Zone {
    let is_in = |nets: &[Ipv4Net]| nets.iter().any(|net| net.contains(&address));
    match () {
        () if is_in(&NEVER_V4) => Zone::Never,
        () if is_in(&PRIVATE_V4) => Zone::Private,
        () => Zone::Public,
    }
}

fn zone_v6(address: Ipv6Addr) -> Zone {
    if MAPPED_V4.contains(&address) || NAT64.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return zone_v4(Ipv4Addr::new(a, b, c, d));
    }
    let is_in = |nets: &[Ipv6Net]| nets.iter().any(|net| net.contains(&address));
    match () {
        () if address == METADATA_V6 => Zone::Never,
        () if address.is_loopback() || is_in(&PRIVATE_V6) => Zone::Private,
        () if is_in(&SPECIAL_V6) || !GLOBAL_V6.contains(&address) => Zone::Never,
        () => Zone::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_are(expected: Zone, addresses: &[&str]) {
        for text in addresses {
            assert_eq!(zone(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn b12_addresses_of_the_internet_are_public() {
        all_are(
            Zone::Public,
            &[
                "1.1.1.1",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "172.15.255.255",
                "172.32.0.0",
                "192.167.255.255",
                "198.17.255.255",
                "223.255.255.255",
                "2606:4700:4700::1111",
                "2a00::1",
                "2001:4860:4860::8888",
                "64:ff9b::1.1.1.1",
                "::ffff:1.1.1.1",
            ],
        );
    }

    #[test]
    fn b12_addresses_of_this_machine_and_of_own_networks_are_private_however_they_are_written() {
        all_are(
            Zone::Private,
            &[
                "127.0.0.1",
                "127.255.255.255",
                "10.0.0.1",
                "100.64.0.1",
                "169.254.1.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "198.18.0.1",
                "::1",
                "fc00::1",
                "fdff::1",
                "fe80::1",
                "febf::1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "64:ff9b::7f00:1",
            ],
        );
    }

    #[test]
    fn a_reach_allows_its_zones_and_nothing_reaches_metadata() {
        let [public, private, never] =
            ["1.1.1.1", "::ffff:10.0.0.1", "169.254.169.254"].map(|text| text.parse().unwrap());
        for (reach, expected) in [
            (Reach::Public, [true, false, false]),
            (Reach::Anywhere, [true, true, false]),
            (Reach::Private, [false, true, false]),
        ] {
            assert_eq!([public, private, never].map(|it| reach.allows(it)), expected, "{reach:?}");
        }
    }

    #[test]
    fn b12_metadata_of_clouds_and_what_is_no_receiver_are_reached_never() {
        all_are(
            Zone::Never,
            &[
                "169.254.169.254",
                "169.254.170.2",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "::ffff:169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "fd00:ec2::254",
                "0.0.0.0",
                "0.1.2.3",
                "224.0.0.1",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::7f00:1",
                "ff02::1",
                "2001::1",
                "2001:db8::1",
                "2002:7f00:1::",
                "3fff::1",
                "5f00::1",
                "64:ff9b:1::1",
                "100::1",
                "fec0::1",
            ],
        );
    }
}
