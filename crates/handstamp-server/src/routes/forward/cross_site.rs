//! The cross-site check of the original request, which the proxy's own request does not show.

use handstamp_axum::SessionRejection;
use handstamp_axum::problem::Problem;
use handstamp_axum::site::Verdict;
use http::header::{HOST, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::client::Original;
use crate::service::Service;

/// Refuses a request that may change something and is not shown to be made by a page of the same
/// site. Where no trusted proxy tells the method, every request is one.
///
/// # Security
/// The cookie would be added to another site's request as well. A proxy asks by GET whatever it was
/// asked by, so what it does not tell is taken for the worst; nor is a proxy believed that is not in
/// `server.trusted_proxies`, for anybody can say GET.
pub(super) fn check(
    service: &Service,
    parts: &mut Parts,
    original: &Original,
) -> Result<(), Problem> {
    parts.method = original.method.clone().unwrap_or(Method::POST);
    if is_safe(&parts.method) && !parts.headers.contains_key(UPGRADE) {
        return Ok(());
    }
    let host = original.host.as_ref().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = host {
        parts.headers.insert(HOST, host);
        // Of the proxy's own request; it would go before the header.
        parts.uri = http::Uri::default();
    }
    match service.site.judge(parts) {
        Verdict::Refused(why) => {
            let told =
                original.method.as_ref().map_or("no method, or is not trusted", Method::as_str);
            tracing::warn!(
                event = "malicious_csrf",
                "forward-auth: cross-site check: {why}; the proxy tells {told}"
            );
            Err(SessionRejection::CrossSite(why).problem())
        }
        _ => Ok(()),
    }
}

const fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
