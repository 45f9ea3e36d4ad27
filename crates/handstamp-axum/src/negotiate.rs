//! What sort of answer suits a request: a page, or a problem for a program.

use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a person is waiting for a page, so that a redirect leads somewhere: a GET that takes
/// HTML and, where the browser tells the mode, is a navigation.
pub(crate) fn wants_page(head: &Parts) -> bool {
    matches!(head.method, Method::GET | Method::HEAD)
        && is_navigation(&head.headers)
        && accepts_html(&head.headers)
}

fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_MODE).is_none_or(|mode| mode == "navigate")
}

/// Whether HTML is named. `*/*` alone is what programs send.
fn accepts_html(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).any(is_html)
}

fn is_html(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let named = ["text/html", "application/xhtml+xml"];
    named.iter().any(|html| kind.eq_ignore_ascii_case(html)) && !parts.any(is_zero_weight)
}

fn is_zero_weight(parameter: &str) -> bool {
    let weight = parameter.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
    weight.is_some_and(|(_, q)| q.trim().parse().is_ok_and(|q: f32| q <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn wants(method: &str, lines: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        wants_page(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_browser_that_navigates_wants_a_page() {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(wants("GET", &[("accept", accept)]));
        assert!(wants("HEAD", &[("accept", "TEXT/HTML ; q=0.1")]));
        assert!(wants("GET", &[("accept", accept), ("sec-fetch-mode", "navigate")]));
        assert!(wants("GET", &[("accept", "application/json"), ("accept", "text/html")]));
    }

    #[test]
    fn scripts_and_programs_want_a_problem() {
        assert!(!wants("GET", &[]));
        for accept in ["*/*", "", "application/json", "text/*", "text/html;q=0", "text/htmlx"] {
            assert!(!wants("GET", &[("accept", accept)]), "{accept:?}");
        }
        assert!(!wants("GET", &[("accept", "text/html"), ("sec-fetch-mode", "cors")]));
    }

    #[test]
    fn what_was_posted_is_not_redirected_away() {
        for method in ["POST", "PUT", "DELETE"] {
            assert!(!wants(method, &[("accept", "text/html")]));
        }
    }
}
