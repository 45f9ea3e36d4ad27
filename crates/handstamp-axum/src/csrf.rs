//! The CSRF token: shown in forms, asked for when they come back.

use std::fmt;

use axum_core::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::rejection::{FormError, SessionRejection};
use crate::session::Session;

/// The name of the field in forms.
pub const CSRF_FIELD: &str = "_csrf";
/// The name of the header for scripts.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// A CSRF token of the session, masked anew for every rendering.
///
/// Shown, it is the hidden field of a form; [`as_str`](Self::as_str) is the bare token, for a
/// script that sends it in the header `X-CSRF-Token`. Who has no session yet gets one that is
/// bound to their browser, so that a sign-in form is guarded too. In a template that escapes,
/// mark it as safe: `{{ csrf|safe }}`.
///
/// # Security
/// Answers cross-site request forgery beside the check of where a request comes from, and never
/// instead of it.
#[derive(Clone)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// A token of `session`.
    pub fn of(session: &handstamp_core::Session) -> Self {
        Self(session.csrf_token())
    }

    /// The bare token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<input type="hidden" name="{CSRF_FIELD}" value="{}">"#, self.0)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(..)")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CsrfToken {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Session::from_request_parts(parts, state).await?.csrf_field())
    }
}

/// A posted form that came with the session's CSRF token, in its field `_csrf` or in the header
/// `X-CSRF-Token`.
///
/// Nothing of the form is looked at before the token is good. The field itself is not passed on,
/// so `T` may deny unknown fields. Fields that come several times may be a `Vec`. The body has
/// the limit of the router: 2 MB unless `DefaultBodyLimit` says otherwise.
///
/// # Errors
/// As an extractor: 403 `CSRF_INVALID` without a good token, 415 for another content type, 413
/// for a body over the limit, 422 for fields that are not `T`, 503 when the store cannot be asked.
///
/// ```
/// use handstamp_axum::CsrfForm;
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     item: String,
/// }
///
/// async fn order(CsrfForm(order): CsrfForm<Order>) -> String {
///     order.item
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CsrfForm<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for CsrfForm<T> {
    type Rejection = SessionRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (mut head, body) = request.into_parts();
        let session = Session::from_request_parts(&mut head, state).await?;
        let is_shown = is_shown_in_header(&session, &head.headers)?;
        if !is_urlencoded(&head.headers) {
            return Err(FormError::ContentType.into());
        }
        let body = read(Request::from_parts(head, body), state).await?;
        if !is_shown && !is_shown_in_form(&session, &body) {
            return Err(SessionRejection::Csrf);
        }
        parse(&body).map(Self)
    }
}

/// Whether the header carries a good token; one that is not good is the end of it.
fn is_shown_in_header(
    session: &handstamp_core::Session,
    headers: &HeaderMap,
) -> Result<bool, SessionRejection> {
    match headers.contains_key(CSRF_HEADER) {
        true => check_header(session, headers).map(|()| true),
        false => Ok(false),
    }
}

/// Wants a good token in the header.
pub(crate) fn check_header(
    session: &handstamp_core::Session,
    headers: &HeaderMap,
) -> Result<(), SessionRejection> {
    let mut shown = headers.get_all(CSRF_HEADER).iter();
    let token = shown.next().and_then(|token| token.to_str().ok());
    let is_good = token.is_some_and(|token| session.verify_csrf(token));
    if is_good && shown.next().is_none() { Ok(()) } else { Err(SessionRejection::Csrf) }
}

fn is_shown_in_form(session: &handstamp_core::Session, body: &[u8]) -> bool {
    let mut shown = form_urlencoded::parse(body).filter(|(name, _)| name == CSRF_FIELD);
    let is_good = shown.next().is_some_and(|(_, token)| session.verify_csrf(&token));
    is_good && shown.next().is_none()
}

fn is_urlencoded(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, FormError> {
    let body = Bytes::from_request(request, state).await;
    body.map_err(|refused| match refused.status() {
        StatusCode::PAYLOAD_TOO_LARGE => FormError::TooLarge,
        _ => FormError::Unreadable,
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SessionRejection> {
    let fields: Vec<&[u8]> = body.split(|byte| *byte == b'&').filter(|f| !is_token(f)).collect();
    serde_html_form::from_bytes(&fields.join(&b'&')).map_err(|_| FormError::Fields.into())
}

fn is_token(field: &[u8]) -> bool {
    form_urlencoded::parse(field).any(|(name, _)| name == CSRF_FIELD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[derive(serde::Deserialize, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Order {
        item: String,
        #[serde(default)]
        size: Vec<u8>,
    }

    #[test]
    fn the_token_is_not_among_the_fields() {
        for body in ["_csrf=x&item=a", "item=a&_csrf=x", "item=a&%5Fcsrf=x&", "item=a"] {
            let order: Order = parse(body.as_bytes()).expect(body);
            assert_eq!(order, Order { item: "a".into(), size: vec![] });
        }
        let order: Order = parse(b"size=1&item=a%26b&size=2").unwrap();
        assert_eq!(order, Order { item: "a&b".into(), size: vec![1, 2] });
    }

    #[test]
    fn fields_that_do_not_fit_are_told_without_repeating_them() {
        for body in [&b""[..], b"item=a&more=<script>", b"size=x&item=a", b"\xff=\xff", b"&&&="] {
            let refused = parse::<Order>(body).unwrap_err();
            assert!(matches!(refused, SessionRejection::Form(FormError::Fields)), "{body:?}");
            assert!(!refused.to_string().contains("script"));
        }
    }

    #[test]
    fn s45_only_a_urlencoded_body_is_a_form() {
        let is_form = |kind: &'static str| {
            is_urlencoded(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]))
        };
        assert!(is_form("application/x-www-form-urlencoded"));
        assert!(is_form("Application/X-WWW-Form-Urlencoded; charset=utf-8"));
        for other in ["", "text/plain", "multipart/form-data", "application/json"] {
            assert!(!is_form(other), "{other:?}");
        }
        assert!(!is_urlencoded(&HeaderMap::new()));
    }
}
