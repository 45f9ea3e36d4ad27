//! Where a session may be sent, and which way: one rule for every client.

use reqwest::{Client, ClientBuilder, redirect};
use url::{Host, Url};

/// An address is none that a session may be sent to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is no absolute URL of HTTP, or has a query, a fragment or a password.
    #[error("not the address of a server")]
    Address,
    /// It is of another machine and not `https`: whoever is on the way could read the tokens. A
    /// method named `dangerously_plain` takes it all the same.
    #[error("without TLS nothing is sent to {0}")]
    Plain(String),
    /// There can be no HTTP client here.
    #[error("no HTTP client could be made")]
    Client(#[source] reqwest::Error),
}

/// Whether an address is of this machine by its very text: `localhost`, `127.0.0.0/8` or `[::1]`.
/// Nobody is asked, so a name that merely leads here is none.
pub fn is_own_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Which addresses without TLS are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plain {
    /// Those of this machine.
    Here,
    /// Any: the program said so.
    Anywhere,
}

impl Plain {
    /// Refuses an address without TLS that is not taken.
    pub(crate) fn check(self, url: &Url) -> Result<(), AddressError> {
        let is_safe = url.scheme() == "https" || is_own_machine(url);
        let refused = || AddressError::Plain(url.origin().ascii_serialization());
        if self == Self::Anywhere || is_safe { Ok(()) } else { Err(refused()) }
    }

    /// Reads the address of an endpoint.
    pub(crate) fn endpoint(self, address: &str) -> Result<Url, AddressError> {
        let url = Url::parse(address).map_err(|_| AddressError::Address)?;
        let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
        let has_more = url.query().is_some() || url.fragment().is_some();
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !is_http || has_more || has_user {
            return Err(AddressError::Address);
        }
        self.check(&url)?;
        Ok(url)
    }
}

/// HTTP clients that follow no redirects by themselves: one through whatever proxies the
/// environment names, and one for this machine that goes through none.
///
/// # Security
/// Without it a proxy would read, in the clear, what never leaves the machine.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    usual: Client,
    here: Option<Client>,
}

impl Ways {
    /// Clients for these addresses.
    pub(crate) fn to<'a>(
        addresses: impl IntoIterator<Item = &'a Url>,
        settings: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, reqwest::Error> {
        let builder = || settings(Client::builder().redirect(redirect::Policy::none()));
        let is_here = addresses.into_iter().any(is_own_machine);
        let here = is_here.then(|| builder().no_proxy().build()).transpose()?;
        Ok(Self { usual: builder().build()?, here })
    }

    /// A client of the caller's, for everything.
    pub(crate) const fn through(client: Client) -> Self {
        Self { usual: client, here: None }
    }

    /// The client for an address.
    pub(crate) fn client(&self, url: &Url) -> &Client {
        self.here.as_ref().filter(|_| is_own_machine(url)).unwrap_or(&self.usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a12_without_tls_only_this_machine_is_an_address() {
        for good in [
            "https://id.example.com/auth/",
            "http://127.0.0.1:7070",
            "http://127.9.9.9/",
            "http://localhost:7070/",
            "http://[::1]:7070",
        ] {
            assert!(Plain::Here.endpoint(good).is_ok(), "{good}");
        }
        for plain in [
            "http://id.example.com",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://evil.localhost",
            "http://0.0.0.0",
        ] {
            assert!(matches!(Plain::Here.endpoint(plain), Err(AddressError::Plain(_))), "{plain}");
            assert!(Plain::Anywhere.endpoint(plain).is_ok(), "{plain}");
        }
        for bad in ["", "id.example.com", "ftp://id", "https://u:p@id", "https://id/?a"] {
            assert!(matches!(Plain::Anywhere.endpoint(bad), Err(AddressError::Address)), "{bad}");
        }
    }
}
