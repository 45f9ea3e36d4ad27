//! Flash messages for a template.

use std::fmt;

use axum_core::extract::FromRequestParts;
use handstamp_core::data::Flash;
use http::request::Parts;

use crate::rejection::SessionRejection;
use crate::session::Session;

/// All flash messages of the session, taken out to be shown: they will not come again.
///
/// An argument of the handler that renders the page; a template walks over it. When the answer
/// turns out a 5xx the messages were not shown, and stay for the next page.
///
/// ```
/// use handstamp_axum::Flashes;
///
/// async fn page(flashes: Flashes) -> String {
///     flashes.iter().map(|flash| format!("{}: {flash}\n", flash.key)).collect()
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flashes(Vec<FlashMessage>);

/// One message to be shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlashMessage {
    /// What sort it is: "success", "error".
    pub key: String,
    /// The message. Something other than a string is its JSON.
    pub text: String,
}

impl Flashes {
    /// Takes all messages out of `session`, oldest first.
    pub fn take(session: &handstamp_core::Session) -> Self {
        Self(session.take_flashes().iter().map(FlashMessage::of).collect())
    }

    /// The messages.
    pub fn iter(&self) -> std::slice::Iter<'_, FlashMessage> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FlashMessage {
    fn of(flash: &Flash) -> Self {
        let text = serde_json::from_str(&flash.value).unwrap_or_else(|_| flash.value.to_string());
        Self { key: flash.key.to_string(), text }
    }
}

impl fmt::Display for FlashMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl IntoIterator for Flashes {
    type Item = FlashMessage;
    type IntoIter = std::vec::IntoIter<FlashMessage>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Flashes {
    type Item = &'a FlashMessage;
    type IntoIter = std::slice::Iter<'a, FlashMessage>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Flashes {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::take(&*Session::from_request_parts(parts, state).await?))
    }
}
