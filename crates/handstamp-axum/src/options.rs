//! What a layer was told, and what it knows of a request before anybody asks.

use std::net::IpAddr;
use std::sync::Arc;

use handstamp_core::SessionManager;
use handstamp_core::config::CookieSettings;
use http::request::Parts;

use crate::site::{SiteCheck, Verdict};

pub(crate) type Exempt = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

pub(crate) type ClientIp = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

/// Everything that is the same for every request.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) manager: SessionManager,
    pub(crate) pre_session_name: String,
    pub(crate) site: SiteCheck,
    pub(crate) is_site_check_log_only: bool,
    pub(crate) exempt: Option<Exempt>,
    pub(crate) sign_in: Option<String>,
    pub(crate) step_up: Option<String>,
    pub(crate) client_ip: Option<ClientIp>,
}

impl Options {
    pub(crate) fn new(manager: SessionManager) -> Self {
        let cookie = manager.config().cookie();
        let site = SiteCheck::new(manager.config().trusted_origins()).https_only(cookie.secure);
        Self {
            pre_session_name: cookie.pre_session_name(),
            site,
            is_site_check_log_only: false,
            exempt: None,
            sign_in: None,
            step_up: None,
            client_ip: None,
            manager,
        }
    }

    /// What the cross-site check says of a request.
    pub(crate) fn judge(&self, head: &Parts) -> Verdict {
        match &self.exempt {
            Some(is_exempt) if is_exempt(head) => Verdict::Safe,
            _ => self.site.judge(head),
        }
    }

    /// Whether guards have a page to send a browser to.
    pub(crate) const fn has_pages(&self) -> bool {
        self.sign_in.is_some() || self.step_up.is_some()
    }

    pub(crate) fn cookie(&self) -> &CookieSettings {
        self.manager.config().cookie()
    }
}
