//! The proxies that are believed, and the address of who stands behind them.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use super::forwarded::{forwarded, x_forwarded_for};
use super::original::{Original, OriginalError};

/// The networks of the proxies whose word counts. Default none: then every header about an origin
/// is ignored, and the address is the peer's.
///
/// ```
/// use handstamp_server::client::TrustedProxies;
/// let proxies = TrustedProxies::parse(["10.0.0.0/8", "2001:db8::7"])?;
/// assert!(proxies.contains("10.1.2.3".parse().unwrap()));
/// # Ok::<(), handstamp_server::client::ProxyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// A text names no network of proxies.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProxyError {
    /// Neither an address nor a network.
    #[error("`{0}` is neither an address nor a network such as 10.0.0.0/8")]
    Unreadable(String),
    /// Everybody would be a proxy, and could claim any address.
    #[error("`{0}` trusts every address there is: name the networks of your proxies")]
    Everybody(String),
}

impl TrustedProxies {
    /// The proxies in these networks. A network of every address there is would make everybody a
    /// proxy, and is left out.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into_iter().filter(|network| network.prefix_len() > 0).collect())
    }

    /// The proxies at these addresses and in these networks.
    ///
    /// # Errors
    /// [`ProxyError`] for the first text that is neither, or that is every address there is.
    pub fn parse<I>(networks: I) -> Result<Self, ProxyError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        networks.into_iter().map(|text| network(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a connection from `address` is one of a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of who sent a request that came over a connection from `peer`.
    ///
    /// That is `peer`, unless it is a trusted proxy. Then the hops of `Forwarded` (RFC 7239) or
    /// `X-Forwarded-For` are gone through from the right, over as many as are trusted proxies
    /// themselves, to the first that is not. A hop that is hidden (`unknown`, `_name`) or cannot be
    /// read ends the way, and the last good one counts.
    ///
    /// # Security
    /// Whatever a client wrote stands to the left of what the proxies added, so it is never
    /// reached (OWASP ASVS 4.1.3, 15.3.4). Where both headers are there and lead to different
    /// addresses, one of them came through a proxy that does not know it, from the client: then
    /// neither counts, and the address is the proxy's.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let by_standard = forwarded(headers).map(|hops| self.first_stranger(peer, hops));
        let by_habit = x_forwarded_for(headers).map(|hops| self.first_stranger(peer, hops));
        match (by_standard, by_habit) {
            (Some(one), Some(other)) if one != other => peer,
            (one, other) => one.or(other).unwrap_or(peer),
        }
    }

    /// How the request that a proxy asks about came to the proxy; nothing is known of it when
    /// `peer` is no trusted proxy.
    ///
    /// # Errors
    /// [`OriginalError`] when the proxy contradicts itself or writes what cannot be read. The
    /// request must then be refused: the method decides whether a cross-site check is due.
    pub fn original(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Original, OriginalError> {
        if self.contains(peer) { Original::read(headers) } else { Ok(Original::default()) }
    }

    fn first_stranger(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut nearest = peer;
        for hop in hops {
            let Some(address) = hop else { break };
            nearest = address.to_canonical();
            if !self.contains(nearest) {
                break;
            }
        }
        nearest
    }
}

fn network(text: &str) -> Result<IpNet, ProxyError> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let network = address.or_else(|_| text.parse::<IpNet>());
    let network = network.map_err(|_| ProxyError::Unreadable(text.to_owned()))?;
    if network.prefix_len() == 0 {
        return Err(ProxyError::Everybody(text.to_owned()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests;
