//! What an operator decides: cookie, lifetimes, limits, sizes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::roles::Roles;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The longest that browsers keep a cookie: 400 days (RFC 6265bis §5.5).
pub const LONGEST_COOKIE: Duration = Duration::from_secs(34_560_000);

/// When a browser sends the cookie along with requests that other sites caused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SameSite {
    /// Never.
    Strict,
    /// Only when the user follows a link.
    Lax,
    /// Always; needs `Secure`.
    None,
}

impl SameSite {
    /// The attribute's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// Who makes room when a subject has as many sessions as it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LimitStrategy {
    /// Nobody: the new sign-in is refused.
    Deny,
    /// The session that began first.
    #[default]
    EndOldest,
    /// The session that would run out first.
    EndNextToExpire,
}

/// What is done when a superseded refresh token comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReusePolicy {
    /// The session ends.
    #[default]
    End,
    /// The session is suspended until its user steps up or somebody resumes it.
    Suspend,
}

/// The session cookie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieSettings {
    /// Default `__Host-handstamp`.
    pub name: String,
    /// Sent over HTTPS only. Default yes.
    pub secure: bool,
    /// Out of reach of scripts. Default yes.
    pub http_only: bool,
    /// Default `Lax`.
    pub same_site: SameSite,
    /// Default `/`.
    pub path: String,
}

impl CookieSettings {
    /// The name of the cookie that a visitor without a session gets for sign-in forms.
    pub fn pre_session_name(&self) -> String {
        format!("{}-pre", self.name)
    }
}

/// A combination that browsers or standards would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The cookie's name is not a token of RFC 6265bis.
    #[error("cookie_name {0:?} must be 1 to 100 letters, digits, '-', '_' or '.'")]
    CookieName(String),
    /// Browsers drop a cookie whose prefix promises what its attributes do not keep.
    #[error("a cookie called {name:?} needs {needs}, or browsers drop it")]
    CookiePrefix {
        /// The name.
        name: String,
        /// The attributes that are missing.
        needs: &'static str,
    },
    /// `SameSite=None` without `Secure` is dropped by browsers.
    #[error("same_site None needs secure(true), or browsers drop the cookie")]
    SameSiteNone,
    /// The path does not begin with a slash or holds a character that ends the attribute.
    #[error("cookie path {0:?} must begin with '/' and hold no ';' or control character")]
    CookiePath(String),
    /// A lifetime is zero, or the idle one is longer than the absolute one.
    #[error("{what} must be {must}")]
    Lifetime {
        /// Which.
        what: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// A size or count is zero or out of range.
    #[error("{what} must be {must}")]
    Size {
        /// Which.
        what: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// A trusted origin is not `scheme://host[:port]` in lower case without a path.
    #[error("trusted origin {0:?} must be like https://app.example.org, without a path")]
    Origin(String),
}

/// Every setting, valid by construction.
///
/// [`SessionConfig::default`] is good for production behind HTTPS. Change settings with
/// [`edit`](Self::edit) and [`build`](SessionConfigBuilder::build):
///
/// ```
/// use handstamp_core::config::SessionConfig;
/// let config = SessionConfig::default().ttl_hours(48).cookie_name("__Host-shop").build()?;
/// # Ok::<(), handstamp_core::config::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct SessionConfig(Settings);

/// Changes settings, checked together by [`build`](Self::build).
#[derive(Clone, PartialEq, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct SessionConfigBuilder(Settings);

#[derive(Clone, PartialEq, Debug)]
struct Settings {
    cookie: CookieSettings,
    ttl: Duration,
    idle: Option<Duration>,
    remember: Duration,
    remember_idle: Option<Duration>,
    regenerate_on_login: bool,
    limit: Option<u32>,
    limit_strategy: LimitStrategy,
    rotate_every: Option<Duration>,
    grace: Duration,
    reuse: ReusePolicy,
    end_on_cookie_reuse: bool,
    max_value_bytes: usize,
    max_session_bytes: usize,
    trusted_origins: Vec<String>,
    permissions: BTreeMap<String, Vec<String>>,
    clear_site_data: bool,
    cache_bytes: u64,
    cleanup_every: Duration,
    keep_tombstones: Duration,
    lease: Duration,
    read_log_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cookie: CookieSettings {
                name: "__Host-handstamp".into(),
                secure: true,
                http_only: true,
                same_site: SameSite::Lax,
                path: "/".into(),
            },
            ttl: DAY,
            idle: Some(HOUR),
            remember: DAY * 30,
            remember_idle: None,
            regenerate_on_login: true,
            limit: None,
            limit_strategy: LimitStrategy::EndOldest,
            rotate_every: None,
            grace: crate::verdict::GRACE,
            reuse: ReusePolicy::End,
            end_on_cookie_reuse: false,
            max_value_bytes: 64 << 10,
            max_session_bytes: 256 << 10,
            trusted_origins: Vec::new(),
            permissions: BTreeMap::new(),
            clear_site_data: false,
            cache_bytes: 256 << 20,
            cleanup_every: MINUTE,
            keep_tombstones: DAY * 30,
            lease: Duration::from_secs(5),
            read_log_every: Duration::from_secs(1),
        }
    }
}

impl Default for SessionConfig {
    /// For production behind HTTPS: `__Host-` cookie, 24 hours absolute and 1 hour idle (the
    /// limits that NIST SP 800-63B-4 §2.2.3 recommends at AAL2).
    fn default() -> Self {
        Self(Settings::default())
    }
}

impl SessionConfig {
    /// For a machine of your own over plain HTTP: the cookie is called `handstamp-dev` and is not
    /// `Secure`; everything else is as in [`SessionConfig::default`].
    pub fn development() -> Self {
        let mut settings = Settings::default();
        settings.cookie.name = "handstamp-dev".into();
        settings.cookie.secure = false;
        Self(settings)
    }

    /// The default, stricter: 12 hours absolute, 30 minutes idle, at most 20 sessions per subject,
    /// and an old cookie that comes back ends its session.
    pub fn production() -> Self {
        Self(Settings {
            ttl: HOUR * 12,
            idle: Some(MINUTE * 30),
            limit: Some(20),
            end_on_cookie_reuse: true,
            ..Settings::default()
        })
    }

    /// NIST SP 800-63B-4 §2.1.3: 30 days absolute, no idle limit.
    pub fn aal1() -> Self {
        Self(Settings { ttl: DAY * 30, idle: None, ..Settings::default() })
    }

    /// NIST SP 800-63B-4 §2.2.3: 24 hours absolute, 1 hour idle, nobody is remembered longer.
    pub fn aal2() -> Self {
        Self(Settings { remember: DAY, remember_idle: Some(HOUR), ..Settings::default() })
    }

    /// NIST SP 800-63B-4 §2.3.3: 12 hours absolute, 15 minutes idle, nobody is remembered longer.
    pub fn aal3() -> Self {
        let (ttl, idle) = (HOUR * 12, Some(MINUTE * 15));
        Self(Settings { ttl, idle, remember: ttl, remember_idle: idle, ..Settings::default() })
    }

    /// Starts to change settings.
    pub fn edit(self) -> SessionConfigBuilder {
        SessionConfigBuilder(self.0)
    }

    /// Starts with the absolute lifetime, in hours.
    pub fn ttl_hours(self, hours: u64) -> SessionConfigBuilder {
        self.edit().ttl_hours(hours)
    }

    /// Starts with the name of the cookie.
    pub fn cookie_name(self, name: impl Into<String>) -> SessionConfigBuilder {
        self.edit().cookie_name(name)
    }

    /// The session cookie.
    pub const fn cookie(&self) -> &CookieSettings {
        &self.0.cookie
    }

    /// Whether `roles` together have `permission`, by the configured map.
    pub fn has_permission(&self, roles: &Roles, permission: &str) -> bool {
        roles.iter().any(|role| {
            let granted = self.0.permissions.get(role);
            granted.is_some_and(|granted| granted.iter().any(|one| one == permission))
        })
    }

    /// Origins besides its own that may send unsafe requests.
    pub fn trusted_origins(&self) -> &[String] {
        &self.0.trusted_origins
    }

    /// Absolute and idle lifetime of a session that is remembered, or not.
    pub const fn lifetimes(&self, is_remembered: bool) -> (Duration, Option<Duration>) {
        if is_remembered {
            (self.0.remember, self.0.remember_idle)
        } else {
            (self.0.ttl, self.0.idle)
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        impl SessionConfig {
            $($(#[$doc])* pub const fn $name(&self) -> $type { self.0.$name })*
        }

        impl SessionConfigBuilder {
            $($(#[$doc])* pub const fn $name(mut self, value: $type) -> Self {
                self.0.$name = value;
                self
            })*
        }
    };
}

settings! {
    /// Absolute lifetime, counted from the last full authentication. Default 24 hours.
    ttl: Duration,
    /// Idle lifetime, counted from the last activity; `None` for no limit. Default 1 hour.
    idle: Option<Duration>,
    /// Absolute lifetime of a session that is remembered. Default 30 days.
    remember: Duration,
    /// Idle lifetime of a session that is remembered. Default none.
    remember_idle: Option<Duration>,
    /// Whether signing in again as the same subject makes a new session, or else keeps the session
    /// and rotates its token. Default yes. Either way the old token is dead: there is no setting
    /// under which a sign-in leaves one good.
    regenerate_on_login: bool,
    /// How many sessions one subject may have at once. Default no limit.
    limit: Option<u32>,
    /// Who makes room at the limit. Default the oldest.
    limit_strategy: LimitStrategy,
    /// The age at which a cookie gets a new token. Default never.
    rotate_every: Option<Duration>,
    /// How long after a refresh its old token is met with patience. Default 30 seconds; zero is
    /// strict mode.
    grace: Duration,
    /// What is done when a superseded refresh token comes back. Default the session ends.
    reuse: ReusePolicy,
    /// Whether a superseded cookie that comes back ends its session. Default no: an event tells
    /// of it.
    end_on_cookie_reuse: bool,
    /// The largest value, in bytes of JSON. Default 65,536.
    max_value_bytes: usize,
    /// The most that one session may hold, keys, values and flash together, in bytes. Default
    /// 262,144.
    max_session_bytes: usize,
    /// Whether sign-out answers `Clear-Site-Data: "cache", "cookies", "storage"`. Default no,
    /// for it also deletes a flash set beside it and every other cookie of the site. It is the one
    /// header that also empties Chromium's back-forward cache; `no-store` does not.
    clear_site_data: bool,
    /// How much memory records in use may take, in bytes. Default 256 MiB.
    cache_bytes: u64,
    /// How often what is due is ended and old tombstones are purged. Default 1 minute.
    cleanup_every: Duration,
    /// How long tombstones are kept, at least 1 hour: they are what tells a request in flight that
    /// its session has ended. Default 30 days.
    keep_tombstones: Duration,
    /// On a store that several processes share: how long after a look at what the others have
    /// committed the near cache is trusted. The bound on how late an end by another process bites.
    /// Default 5 seconds.
    lease: Duration,
    /// On such a store: how often this process looks at what the others have committed, when nothing
    /// tells it to look sooner. At most half the lease. Default 1 second.
    read_log_every: Duration,
}

impl SessionConfigBuilder {
    /// The name of the cookie. Default `__Host-handstamp`.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.0.cookie.name = name.into();
        self
    }

    /// Whether the cookie is sent over HTTPS only. Default yes.
    pub const fn secure(mut self, secure: bool) -> Self {
        self.0.cookie.secure = secure;
        self
    }

    /// Whether the cookie is out of reach of scripts. Default yes.
    pub const fn http_only(mut self, http_only: bool) -> Self {
        self.0.cookie.http_only = http_only;
        self
    }

    /// When other sites' requests carry the cookie. Default `Lax`.
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.0.cookie.same_site = same_site;
        self
    }

    /// The path under which the cookie is sent. Default `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.0.cookie.path = path.into();
        self
    }

    /// Absolute lifetime in hours, as [`ttl`](Self::ttl) has it. Default 24.
    pub const fn ttl_hours(self, hours: u64) -> Self {
        self.ttl(Duration::from_secs(hours.saturating_mul(3600)))
    }

    /// Origins besides its own that may send unsafe requests, like `https://app.example.org`.
    /// Default none.
    pub fn trusted_origins<I: IntoIterator<Item: Into<String>>>(mut self, origins: I) -> Self {
        self.0.trusted_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// What holders of `role` may do. Adds to what was said before. Default nothing.
    pub fn permissions<I>(mut self, role: impl Into<String>, permissions: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        let granted = self.0.permissions.entry(role.into()).or_default();
        granted.extend(permissions.into_iter().map(Into::into));
        self
    }

    /// Checks the settings together.
    ///
    /// # Errors
    /// [`ConfigError`] names the first combination that browsers or standards would refuse.
    pub fn build(self) -> Result<SessionConfig, ConfigError> {
        check_cookie(&self.0.cookie)?;
        check_lifetimes(&self.0)?;
        check_sizes(&self.0)?;
        if let Some(bad) = self.0.trusted_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(ConfigError::Origin(bad.clone()));
        }
        Ok(SessionConfig(self.0))
    }
}

fn check_cookie(cookie: &CookieSettings) -> Result<(), ConfigError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=100).contains(&cookie.name.len()) || !cookie.name.chars().all(is_name) {
        return Err(ConfigError::CookieName(cookie.name.clone()));
    }
    let is_path = |c: char| c.is_ascii_graphic() && c != ';';
    if !cookie.path.starts_with('/') || !cookie.path.chars().all(is_path) {
        return Err(ConfigError::CookiePath(cookie.path.clone()));
    }
    check_prefix(cookie)?;
    if cookie.same_site == SameSite::None && !cookie.secure {
        return Err(ConfigError::SameSiteNone);
    }
    Ok(())
}

/// RFC 6265bis §4.1.3 and the layered prefixes. Browsers compare prefixes without regard to case.
fn check_prefix(cookie: &CookieSettings) -> Result<(), ConfigError> {
    let name = cookie.name.to_ascii_lowercase();
    let is_root = cookie.path == "/";
    let needs = if name.starts_with("__host-http-") {
        (!(cookie.secure && is_root && cookie.http_only))
            .then_some("secure(true), http_only(true) and path(\"/\")")
    } else if name.starts_with("__host-") {
        (!(cookie.secure && is_root)).then_some("secure(true) and path(\"/\")")
    } else if name.starts_with("__http-") {
        (!(cookie.secure && cookie.http_only)).then_some("secure(true) and http_only(true)")
    } else if name.starts_with("__secure-") {
        (!cookie.secure).then_some("secure(true)")
    } else {
        None
    };
    match needs {
        Some(needs) => Err(ConfigError::CookiePrefix { name: cookie.name.clone(), needs }),
        None => Ok(()),
    }
}

fn check_lifetimes(settings: &Settings) -> Result<(), ConfigError> {
    let second = Duration::from_secs(1);
    let check = |what, must, is_good: bool| {
        if is_good { Ok(()) } else { Err(ConfigError::Lifetime { what, must }) }
    };
    let is_within = |span: Duration| span >= second && span <= LONGEST_COOKIE;
    check("ttl", "1 second to 400 days", is_within(settings.ttl))?;
    check("remember", "1 second to 400 days", is_within(settings.remember))?;
    check("idle", "at least 1 second", settings.idle.is_none_or(|idle| idle >= second))?;
    check("idle", "no longer than ttl", settings.idle.is_none_or(|idle| idle <= settings.ttl))?;
    let remember_idle = settings.remember_idle;
    check(
        "remember_idle",
        "1 second to the length of remember",
        remember_idle.is_none_or(|idle| idle >= second && idle <= settings.remember),
    )?;
    let minute_apart = settings.rotate_every.is_none_or(|every| every >= MINUTE);
    check("rotate_every", "at least 1 minute", minute_apart)?;
    check("grace", "at most 5 minutes", settings.grace <= MINUTE * 5)?;
    check("keep_tombstones", "at least 1 hour", settings.keep_tombstones >= HOUR)?;
    check("cleanup_every", "at least 1 second", settings.cleanup_every >= second)?;
    let is_lease = settings.lease >= second && settings.lease <= MINUTE;
    check("lease", "1 second to 1 minute", is_lease)?;
    let every = settings.read_log_every;
    let is_every = every >= Duration::from_millis(10) && every <= settings.lease / 2;
    check("read_log_every", "10 milliseconds to half the lease", is_every)
}

fn check_sizes(settings: &Settings) -> Result<(), ConfigError> {
    let check = |what, must, is_good: bool| {
        if is_good { Ok(()) } else { Err(ConfigError::Size { what, must }) }
    };
    check("limit", "at least 1", settings.limit != Some(0))?;
    check("max_value_bytes", "at least 1", settings.max_value_bytes > 0)?;
    let holds_one = settings.max_session_bytes >= settings.max_value_bytes;
    check("max_session_bytes", "at least max_value_bytes", holds_one)?;
    check("cache_bytes", "at least 1 MiB", settings.cache_bytes >= 1 << 20)
}

fn is_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let is_host_char =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(is_host_char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n09_every_preset_passes_its_own_check() {
        let presets = [
            SessionConfig::default(),
            SessionConfig::development(),
            SessionConfig::production(),
            SessionConfig::aal1(),
            SessionConfig::aal2(),
            SessionConfig::aal3(),
        ];
        for preset in presets {
            assert_eq!(preset.clone().edit().build(), Ok(preset));
        }
    }

    #[test]
    fn n09_presets_keep_the_limits_of_nist_sp_800_63b_4() {
        assert!(SessionConfig::aal1().ttl() <= DAY * 30);
        let two = SessionConfig::aal2();
        assert!(two.ttl() <= DAY && two.idle().unwrap() <= HOUR && two.remember() <= DAY);
        let three = SessionConfig::aal3();
        assert!(three.ttl() <= HOUR * 12 && three.idle().unwrap() <= MINUTE * 15);
        assert!(three.remember() <= HOUR * 12);
    }

    #[test]
    fn n09_production_is_stricter_in_more_than_one_way() {
        let (strict, default) = (SessionConfig::production(), SessionConfig::default());
        assert!(strict.ttl() < default.ttl() && strict.idle() < default.idle());
        assert!(strict.limit().is_some() && strict.end_on_cookie_reuse());
    }

    #[test]
    fn a_cookie_that_browsers_would_drop_is_an_error() {
        let edit = || SessionConfig::default().edit();
        let refused = [
            edit().secure(false),
            edit().path("/app"),
            edit().cookie_name("__hOsT-x").secure(false),
            edit().cookie_name("__Secure-x").secure(false),
            edit().cookie_name("__Host-Http-x").http_only(false),
            edit().cookie_name("x").secure(false).same_site(SameSite::None),
            edit().cookie_name("a b"),
            edit().cookie_name(""),
            edit().cookie_name("x").path("app"),
            edit().cookie_name("x").path("/;x"),
        ];
        for builder in refused {
            assert!(builder.clone().build().is_err(), "{builder:?}");
        }
    }

    #[test]
    fn a_lifetime_or_size_that_makes_no_sense_is_an_error() {
        let edit = || SessionConfig::default().edit();
        let refused = [
            edit().ttl(Duration::ZERO),
            edit().ttl(DAY * 401),
            edit().idle(Some(DAY * 2)),
            edit().limit(Some(0)),
            edit().max_value_bytes(0),
            edit().max_session_bytes(10),
            edit().rotate_every(Some(Duration::from_secs(1))),
            edit().trusted_origins(["https://a.example/path"]),
            edit().trusted_origins(["null"]),
        ];
        for builder in refused {
            assert!(builder.clone().build().is_err(), "{builder:?}");
        }
    }
}
