//! HTTP as these commands speak it.

use std::time::Duration;

use handstamp_client::address::is_own_machine;
use reqwest::{Client, Response, redirect};
use url::Url;
use zeroize::Zeroizing;

/// A client for one address: a whole answer comes in this time, or not at all.
///
/// # Security
/// It follows no redirects, and to this machine it goes through no proxy: tokens go to nobody else.
pub(super) fn client(address: &str, patience: Duration) -> reqwest::Result<Client> {
    let agent = concat!("handstamp/", env!("CARGO_PKG_VERSION"));
    let client = Client::builder().redirect(redirect::Policy::none());
    let client = client.timeout(patience).user_agent(agent);
    let is_here = Url::parse(address).is_ok_and(|url| is_own_machine(&url));
    if is_here { client.no_proxy() } else { client }.build()
}

/// The body of an answer; none if it is larger than it may be, in bytes.
pub(super) async fn body(
    answer: &mut Response,
    largest: usize,
) -> reqwest::Result<Option<Zeroizing<Vec<u8>>>> {
    // As large as it gets at once: growing would leave copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(largest));
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > largest {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
