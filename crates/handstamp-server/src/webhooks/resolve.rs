//! Names become addresses here and nowhere else, and only addresses that may be called.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use handstamp_core::store::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Reach;

/// Looks up names.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `host`.
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Asks the system: its hosts file, its name servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// No address of a name may be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NotAllowed;

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address of the name may be called")
    }
}

impl std::error::Error for NotAllowed {}

/// What a client of ours resolves with.
///
/// # Security
/// The connection is made to the very addresses that were judged here, so it is of no use to
/// answer one address when a webhook is added and another when it is called (DNS rebinding).
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) reach: Reach,
}

impl Guarded {
    /// The addresses of `host` that may be called.
    ///
    /// # Errors
    /// [`NotAllowed`] when it has addresses and none of them may be, as the cause; what the
    /// lookup said otherwise.
    pub(super) async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut found = self.lookup.lookup(host).await?;
        if found.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        found.retain(|address| self.reach.allows(*address));
        if found.is_empty() { Err(io::Error::other(NotAllowed)) } else { Ok(found) }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guarded = self.clone();
        Box::pin(async move {
            let found = guarded.addresses(name.as_str()).await?;
            let sockets = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

/// Whether `error` came about because an address may not be called.
pub(super) fn is_not_allowed(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<NotAllowed>()
        || of_io.is_some_and(|inner| inner.is::<NotAllowed>())
        || error.source().is_some_and(is_not_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(&'static [&'static str]);

    impl Lookup for Fixed {
        fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let found = self.0.iter().map(|text| text.parse().unwrap()).collect();
            Box::pin(async move { Ok(found) })
        }
    }

    async fn found(addresses: &'static [&'static str]) -> io::Result<Vec<IpAddr>> {
        let lookup = Arc::new(Fixed(addresses));
        Guarded { lookup, reach: Reach::Public }.addresses("a.test").await
    }

    #[tokio::test]
    async fn b12_only_the_addresses_that_may_be_called_are_left_of_a_name() {
        let both = found(&["10.0.0.1", "1.1.1.1", "::1"]).await.unwrap();
        assert_eq!(both, ["1.1.1.1".parse::<IpAddr>().unwrap()]);
        for inside in [&["127.0.0.1"][..], &["::ffff:127.0.0.1"], &["169.254.169.254", "::1"]] {
            assert!(is_not_allowed(&found(inside).await.unwrap_err()), "{inside:?}");
        }
        assert!(!is_not_allowed(&found(&[]).await.unwrap_err()), "not there is another thing");
    }
}
