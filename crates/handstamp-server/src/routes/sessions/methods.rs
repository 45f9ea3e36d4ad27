//! How somebody proved who they are, as a service tells it (`amr`, RFC 8176).

use handstamp_axum::problem::Problem;
use handstamp_core::SignIn;
use handstamp_core::text::plain;

use crate::body::out_of_range;

/// The methods as they are kept: without what could mislead a reader.
///
/// # Errors
/// 422 for more than 16, or one that does not have 1 to 64 characters.
pub(super) fn methods(amr: &[String]) -> Result<Vec<String>, Problem> {
    if amr.len() > SignIn::MOST_METHODS {
        return Err(out_of_range("amr", "must name at most 16 methods"));
    }
    amr.iter().map(|method| one(method)).collect()
}

fn one(method: &str) -> Result<String, Problem> {
    let is_short = method.chars().count() <= SignIn::LONGEST_METHOD;
    let kept = plain(method, SignIn::LONGEST_METHOD).filter(|kept| is_short && !kept.is_empty());
    kept.ok_or_else(|| out_of_range("amr", "a method must have 1 to 64 characters"))
}
