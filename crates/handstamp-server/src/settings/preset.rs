//! From a preset to defaults, and from settings to the engine's configuration.

use std::collections::BTreeMap;

use handstamp_core::SessionConfig;
use handstamp_core::config::ConfigError;

use super::Settings;
use super::choice::Preset;
use super::effective::in_words;
use super::row::Section;
use super::sections::{Cookies, Sessions};

/// What a preset says of the rows that it decides, by name, as a flag would say it.
pub(super) fn defaults(preset: Preset) -> BTreeMap<String, String> {
    let (sessions, cookies) = from_config(preset, &preset.config());
    let said = sessions.says().into_iter().chain(cookies.says());
    let said = said.filter(|(row, _)| row.is_by_preset);
    said.map(|(row, value)| (row.name(), in_words(&value))).collect()
}

/// The sections that a configuration of the engine amounts to.
fn from_config(preset: Preset, config: &SessionConfig) -> (Sessions, Cookies) {
    let sessions = Sessions {
        preset,
        absolute: config.ttl(),
        idle: config.idle(),
        remember_absolute: config.remember(),
        remember_idle: config.remember_idle(),
        max_per_subject: config.limit(),
        limit_strategy: config.limit_strategy(),
        rotate_after: config.rotate_every(),
        grace: config.grace(),
        on_reuse: config.reuse(),
        end_on_cookie_reuse: config.end_on_cookie_reuse(),
        keep_ended: config.keep_tombstones(),
        cleanup: config.cleanup_every(),
        regenerate_on_login: config.regenerate_on_login(),
        max_value_bytes: config.max_value_bytes(),
        max_session_bytes: config.max_session_bytes(),
    };
    let cookie = config.cookie();
    let cookies = Cookies {
        refresh_before: std::time::Duration::from_secs(1800),
        name: cookie.name.clone(),
        secure: cookie.secure,
        same_site: cookie.same_site,
        path: cookie.path.clone(),
        access_token: false,
        trusted_origins: Vec::new(),
        csrf_token_required: false,
        clear_site_data: config.clear_site_data(),
    };
    (sessions, cookies)
}

/// Builds the engine's configuration.
pub(super) fn config(settings: &Settings) -> Result<SessionConfig, ConfigError> {
    let Settings { sessions, cookies, store, roles, .. } = settings;
    let mut builder = sessions
        .preset
        .config()
        .edit()
        .ttl(sessions.absolute)
        .idle(sessions.idle)
        .remember(sessions.remember_absolute)
        .remember_idle(sessions.remember_idle)
        .limit(sessions.max_per_subject)
        .limit_strategy(sessions.limit_strategy)
        .rotate_every(sessions.rotate_after)
        .grace(sessions.grace)
        .reuse(sessions.on_reuse)
        .end_on_cookie_reuse(sessions.end_on_cookie_reuse)
        .keep_tombstones(sessions.keep_ended)
        .cleanup_every(sessions.cleanup)
        .regenerate_on_login(sessions.regenerate_on_login)
        .max_value_bytes(sessions.max_value_bytes)
        .max_session_bytes(sessions.max_session_bytes)
        .cookie_name(cookies.name.clone())
        .secure(cookies.secure)
        .same_site(cookies.same_site)
        .path(cookies.path.clone())
        .trusted_origins(cookies.trusted_origins.iter().map(|origin| origin.as_str()))
        .clear_site_data(cookies.clear_site_data)
        .cache_bytes(store.cache_bytes);
    for (role, permissions) in roles {
        builder = builder.permissions(role.as_str(), permissions.iter().map(String::as_str));
    }
    builder.build()
}
