//! What follows from settings when nobody says it: the public address, the issuer, the key ring's
//! place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::effective::Effective;
use super::problem::Source;
use super::sections::{Audit, Server, Store, Tokens};
use super::special::StoreAddress;
use super::{Inputs, Settings};

impl Server {
    /// The address under which the service is reached: `server.public_url`, or else `http://` and
    /// the address that it came to listen on, which says the port where `server.listen` says 0.
    /// Where it listens on every address this names the loopback one.
    pub fn url(&self, bound: SocketAddr) -> String {
        self.public_url.as_ref().map_or_else(|| local_url(bound), |url| url.as_str().into())
    }
}

impl Audit {
    /// How long personal parts of events are kept: `audit.keep_personal_days`, and no longer than
    /// the events.
    pub fn kept_personal(&self) -> Option<Duration> {
        self.keep_personal.into_iter().chain(self.keep_events).min()
    }
}

impl Store {
    /// Whether other services may use the same sessions: they are on a server.
    pub fn is_shared(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.folder().is_none())
    }
}

impl Tokens {
    /// The shortest life of an access token: its lifetime less all of the jitter.
    pub fn shortest(&self) -> Duration {
        self.lifetime * u32::from(100 - self.jitter.min(100)) / 100
    }
}

impl Settings {
    /// Who issues access tokens: `tokens.issuer`, or else the address of the service.
    pub fn issuer(&self, bound: SocketAddr) -> String {
        let issuer = self.tokens.issuer.as_ref();
        issuer.map_or_else(|| self.server.url(bound), |issuer| issuer.as_str().into())
    }
}

fn local_url(bound: SocketAddr) -> String {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, bound.port()))
}

/// Fills in what nobody said, for the service and for whoever looks at the settings.
pub(super) fn fill(settings: &mut Settings, effective: &mut [Effective], inputs: &Inputs) {
    if let Some(folder) = settings.store.url.as_ref().and_then(StoreAddress::folder) {
        settings.store.data_dir = folder.to_owned();
        show(effective, "store.data_dir", &folder.to_string_lossy());
    }
    let folder = inputs.configuration_folder().filter(|_| settings.keys.ring.is_none());
    if let (None, Some(folder)) = (&settings.keys.file, folder) {
        let file = folder.join("handstamp").join("handstamp.keys");
        show(effective, "keys.file", &file.to_string_lossy());
        settings.keys.file = Some(file);
    }
    let listen = settings.server.listen;
    if listen.port() != 0 {
        show(effective, "server.public_url", &settings.server.url(listen));
        show(effective, "tokens.issuer", &settings.issuer(listen));
    }
}

/// Shows a value that follows from others, where nobody set one.
fn show(effective: &mut [Effective], name: &str, text: &str) {
    let setting = effective.iter_mut().find(|setting| setting.name == name);
    if let Some(setting) = setting.filter(|setting| setting.source == Source::Default) {
        (setting.value, setting.default) = (text.into(), text.into());
    }
}
