//! What works, and is seldom meant: a line each, for the log.

use std::path::Path;

use super::Settings;
use super::choice::Algorithm;

type Warning = (fn(&Settings) -> bool, &'static str);

const WARNINGS: &[Warning] = &[
    (
        |it| it.server.public_url.is_none() && it.server.listen.ip().is_unspecified(),
        "server.listen is every address and server.public_url is none: \
         tokens name an issuer that other machines cannot reach",
    ),
    (
        |it| it.cookies.secure && is_public(it, false),
        "server.public_url is http, where browsers do not send a Secure cookie",
    ),
    (
        |it| !it.cookies.secure && is_public(it, true),
        "server.public_url is https and cookies.secure is false: \
         browsers may send the cookie over http",
    ),
    (
        |it| it.keys.file.as_deref().is_some_and(|file| lies_in(file, &it.store.data_dir)),
        "keys.file lies in store.data_dir: whoever steals that folder has both halves of every token",
    ),
    (
        |it| {
            it.audit
                .checkpoint_file
                .as_deref()
                .is_some_and(|file| lies_in(file, &it.store.data_dir))
        },
        "audit.checkpoint_file lies in store.data_dir: whoever can cut the log can cut it too",
    ),
    (
        |it| it.audit.kept_personal().is_some_and(|kept| kept < it.risk.remember),
        "what is personal in events is kept for less than risk.remember_days: \
         devices and countries are forgotten with it",
    ),
    (
        |it| it.tokens.secret.is_some() && it.tokens.algorithm != Algorithm::Hs256,
        "tokens.secret is set, and tokens.algorithm does not use it",
    ),
    (
        |it| it.server.metrics_listen.is_some_and(|metrics| !metrics.ip().is_loopback()),
        "server.metrics_listen is not a loopback address: whoever reaches it reads the figures",
    ),
    (
        |it| {
            let is_named = it.server.public_url.is_some() || it.tokens.issuer.is_some();
            it.store.is_shared() && !is_named
        },
        "store.url is shared, and neither server.public_url nor tokens.issuer is set: \
         no service takes the access tokens of another",
    ),
    (
        |it| it.webhooks.allow_private_networks,
        "webhooks.allow_private_networks is true: webhooks can reach services of the inner network",
    ),
];

/// The warnings that these settings deserve.
pub(super) fn of(settings: &Settings) -> Vec<String> {
    let deserved = WARNINGS.iter().filter(|(is_so, _)| is_so(settings));
    deserved.map(|(_, line)| (*line).into()).collect()
}

/// Whether browsers reach the service over a network, by `https` or else by `http`.
fn is_public(settings: &Settings, https: bool) -> bool {
    let url = settings.server.public_url.as_ref();
    url.is_some_and(|url| url.is_https() == https && (https || !url.is_loopback()))
}

fn lies_in(file: &Path, folder: &Path) -> bool {
    match (std::path::absolute(file), std::path::absolute(folder)) {
        (Ok(file), Ok(folder)) => file.starts_with(folder),
        _ => file.starts_with(folder),
    }
}
