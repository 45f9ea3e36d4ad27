//! Request bodies: JSON that is read strictly, or not at all.

mod strict;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use handstamp_axum::problem::Problem;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;

/// A JSON body: of the type `application/json`, within the size limit, without an unknown field, a
/// repeated key, or more than 64 levels.
///
/// # Security
/// ASVS 3.5.2: a body that a form of another site could send (`text/plain`, a form) is refused
/// with 415, and so is one without a type. ASVS 15.3.3 and 15.3.7: nothing unknown is taken in.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if media_type(request.headers()).is_none_or(|it| it != "application/json") {
            return Err(unsupported("application/json"));
        }
        read(&bytes(request, state).await?).map(Self)
    }
}

/// A JSON body as [`Json`], or the default of `T` when there is no body at all.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media = media_type(request.headers());
        let body = bytes(request, state).await?;
        match (media.as_deref(), body.is_empty()) {
            (None, true) => Ok(Self(T::default())),
            (Some("application/json"), true) => Ok(Self(T::default())),
            (Some("application/json"), false) => read(&body).map(Self),
            _ => Err(unsupported("application/json")),
        }
    }
}

/// A body of an OAuth endpoint: a form, as the RFCs have it, or JSON.
///
/// What cannot be read is told as `invalid_request`, too (RFC 6749 §5.2, RFC 7009 §2.2.1).
pub(crate) struct FormOrJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormOrJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media = media_type(request.headers());
        let body = bytes(request, state).await?;
        let body = match media.as_deref() {
            Some("application/json") => read(&body),
            Some("application/x-www-form-urlencoded") => form(&body),
            _ => Err(unsupported("application/x-www-form-urlencoded or application/json")),
        };
        body.map(Self).map_err(|problem| problem.with("error", "invalid_request"))
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(failed)
            if failed.status() == StatusCode::PAYLOAD_TOO_LARGE =>
        {
            bad(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this service takes")
        }
        _ => bad(StatusCode::BAD_REQUEST, "the body broke off"),
    })
}

/// The essence of the content type, in lower case; `None` where there is none, or several.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let essence = value.to_str().ok()?.split(';').next()?.trim();
    Some(essence.to_ascii_lowercase())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    strict::check(body).map_err(|wrong| field_problem(&wrong.path, &wrong.what))?;
    // A list of values in the order of the fields would be taken too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(field_problem("", "not a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let (field, message) = told(&error.to_string());
        field_problem(&field, &message)
    })
}

/// Takes the field out of what serde says of it: "unknown field `x`, expected …".
fn told(said: &str) -> (String, String) {
    let message = said.split(" at line ").next().unwrap_or(said);
    let field = message.split('`').nth(1).filter(|_| message.contains("field")).unwrap_or_default();
    (field.to_owned(), message.to_owned())
}

fn form<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut object = serde_json::Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let name = name.into_owned();
        if object.insert(name.clone(), value.into_owned().into()).is_some() {
            return Err(field_problem(&name, "given twice"));
        }
    }
    serde_json::from_value(object.into()).map_err(|error| {
        let (field, message) = told(&error.to_string());
        field_problem(&field, &message)
    })
}

fn unsupported(wanted: &'static str) -> Problem {
    bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("send this as {wanted}"))
}

/// A body that cannot be read.
pub(crate) fn bad(
    status: StatusCode,
    detail: impl Into<std::borrow::Cow<'static, str>>,
) -> Problem {
    Problem::new(status, "BAD_REQUEST", detail)
}

fn field_problem(field: &str, message: &str) -> Problem {
    bad(StatusCode::BAD_REQUEST, "the request cannot be read")
        .with("errors", json!([{ "field": field, "message": message }]))
}

/// A value that can be read and is out of range.
pub(crate) fn out_of_range(field: &str, message: impl AsRef<str>) -> Problem {
    bad(StatusCode::UNPROCESSABLE_ENTITY, "a value is out of range")
        .with("errors", json!([{ "field": field, "message": message.as_ref() }]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use serde::Deserialize;

    #[derive(Deserialize, Debug, Default, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Named {
        name: String,
    }

    fn request(media: Option<&str>, body: &str) -> Request {
        let mut request = Request::new(body.to_owned().into());
        *request.method_mut() = Method::POST;
        if let Some(media) = media {
            request.headers_mut().insert(CONTENT_TYPE, media.try_into().unwrap());
        }
        request
    }

    async fn status(media: Option<&str>, body: &str) -> u16 {
        match Json::<Named>::from_request(request(media, body), &()).await {
            Ok(_) => 200,
            Err(problem) => problem.status().as_u16(),
        }
    }

    #[tokio::test]
    async fn s45_only_json_is_taken_where_json_is_asked_for() {
        let body = r#"{"name":"x"}"#;
        let rows = [
            (Some("application/json"), 200),
            (Some("Application/JSON; charset=utf-8"), 200),
            (Some("text/plain"), 415),
            (Some("application/x-www-form-urlencoded"), 415),
            (Some("multipart/form-data; boundary=x"), 415),
            (None, 415),
        ];
        for (media, expected) in rows {
            assert_eq!(status(media, body).await, expected, "{media:?}");
        }
    }

    #[tokio::test]
    async fn s98_what_is_unknown_repeated_of_another_type_or_too_deep_is_refused() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let rows = [
            r#"{"name":"x","extra":1}"#,
            r#"{"name":"x","name":"y"}"#,
            r#"{"name":7}"#,
            r#"["x"]"#,
            r#"{"name":"x"} trailing"#,
            "",
            "nonsense",
            &deep,
        ];
        for body in rows {
            assert_eq!(status(Some("application/json"), body).await, 400, "{:.40}", body);
        }
    }

    #[test]
    fn the_field_is_named() {
        let said = "unknown field `extra`, expected `name` at line 1 column 20";
        assert_eq!(told(said), ("extra".into(), "unknown field `extra`, expected `name`".into()));
    }

    #[tokio::test]
    async fn a_form_that_names_a_field_twice_is_refused() {
        let twice = request(Some("application/x-www-form-urlencoded"), "name=a&name=b");
        let refused = FormOrJson::<Named>::from_request(twice, &()).await.err();
        assert_eq!(refused.map(|problem| problem.status().as_u16()), Some(400));
        let once = request(Some("application/x-www-form-urlencoded"), "name=a");
        let FormOrJson(read) = FormOrJson::<Named>::from_request(once, &()).await.ok().unwrap();
        assert_eq!(read.name, "a");
    }

    #[tokio::test]
    async fn no_body_is_the_default_where_a_body_is_optional() {
        let OptionalJson(read) =
            OptionalJson::<Named>::from_request(request(None, ""), &()).await.ok().unwrap();
        assert_eq!(read, Named::default());
        let refused = OptionalJson::<Named>::from_request(request(None, "x"), &()).await;
        assert!(refused.is_err());
    }
}
