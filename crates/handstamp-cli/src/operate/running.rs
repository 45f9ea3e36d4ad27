//! The service as a command reaches it: over its local socket, or opened in this process.

use std::io::ErrorKind;
use std::path::Path;

use handstamp_protocol::Problem;
use handstamp_server::settings::{Settings, Store};
use handstamp_server::{SOCKET, answer_locally};
use handstamp_sqlite::SqliteError;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::net::UnixStream;

use super::Missing;
use crate::failure::{Exit, Failure};
use crate::serve::kept::{self, DATABASE, Kept};
use crate::serve::opening::{self, Unheard};

/// What stands before a path; the socket has no name.
const HERE: &str = "http://localhost";

/// The embedded database, which nobody else may hold.
async fn embedded(store: &Store) -> Result<Kept, Failure> {
    let folder = &store.data_dir;
    let opened = kept::embedded(store).await.map_err(|error| match error {
        SqliteError::Locked { .. } => unreachable(folder),
        other => kept::refused(folder, &other),
    })?;
    Ok(opened.into())
}

/// A service that can be asked.
pub(super) enum Running {
    /// Another process serves.
    Elsewhere(Client),
    /// Nobody does, so this process holds the store.
    Here(Box<Unheard>),
}

impl Running {
    /// Reaches the service of these settings.
    ///
    /// # Errors
    /// Exit 3 where there is no data folder and `missing` refuses to make one, 4 where the socket
    /// may not be opened, 5 where another process holds the store and does not answer.
    pub(super) async fn reach(settings: Settings, missing: Missing) -> Result<Self, Failure> {
        let folder = settings.store.data_dir.clone();
        let socket = folder.join(SOCKET);
        match UnixStream::connect(&socket).await {
            Ok(_) => return elsewhere(&socket),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let line = format!("{} is for its owner only", socket.display());
                return Err(Failure::new(line).with(Exit::Refused));
            }
            // Nobody listens there.
            Err(_) => {}
        }
        if !settings.store.is_shared()
            && missing == Missing::Refuse
            && !folder.join(DATABASE).exists()
        {
            return Err(no_folder(&folder));
        }
        let ring = opening::ring(&settings)?;
        let store = if settings.store.is_shared() {
            kept::open(&settings.store).await?
        } else {
            embedded(&settings.store).await?
        };
        let url = settings.server.url(settings.server.listen);
        let opened = opening::open_unheard(settings, store, ring, url).await?;
        Ok(Self::Here(Box::new(opened)))
    }

    /// Whether another process serves.
    pub(super) const fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere(_))
    }

    /// Writes what is noted, where this process holds the store, and leaves that.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        let Self::Here(opened) = self else { return Ok(()) };
        let written = opened.sessions.shutdown().await;
        opened.place.leave().await;
        written.map_err(|error| Failure::because("the last activity could not be written", &error))
    }

    /// Asks for what lies at `path`.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.ask(Method::GET, url(path, query)?, None).await
    }

    /// The text that lies at `path`.
    pub(super) async fn text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.raw(Method::GET, url(path, &())?, None).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Sends `body` to `path`.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body);
        let body = body.map_err(|error| Failure::because("cannot say that in JSON", &error))?;
        self.ask(method, url(path, &())?, Some(body)).await
    }

    /// Removes what lies at `path`.
    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::DELETE, url(path, &())?, None).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<T, Failure> {
        let answer = self.raw(method, url, body).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| Failure::because("the service answers something else", &error))
    }

    /// The body of a good answer.
    async fn raw(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Failure> {
        let (status, answer) = match self {
            Self::Elsewhere(client) => over(client, method, url, body).await?,
            Self::Here(opened) => within(opened, method, &url, body).await?,
        };
        if status.is_success() { Ok(answer) } else { Err(refused(status, &answer)) }
    }
}

fn elsewhere(socket: &Path) -> Result<Running, Failure> {
    let client = Client::builder().unix_socket(socket).no_proxy().build();
    client.map(Running::Elsewhere).map_err(|error| Failure::because("cannot start", &error))
}

/// The address of `path` with what `query` names; what is `null` is not asked for.
fn url(path: &str, query: &impl Serialize) -> Result<Url, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::because("cannot ask for that", error);
    let mut url = Url::parse(&format!("{HERE}{path}")).map_err(|error| failed(&error))?;
    let query = serde_json::to_value(query).map_err(|error| failed(&error))?;
    let pairs = query.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let text = match value {
            Json::Null => return None,
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((name, text))
    });
    let pairs: Vec<_> = pairs.collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url)
}

async fn over(
    client: &Client,
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let broke_off = |error: reqwest::Error| {
        Failure::because("the service does not answer", &error).with(Exit::Unreachable)
    };
    let mut request = client.request(method, url);
    if let Some(body) = body {
        request = request.header(CONTENT_TYPE, "application/json").body(body);
    }
    let answer = request.send().await.map_err(broke_off)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(broke_off)?;
    Ok((status, body.into()))
}

async fn within(
    opened: &Unheard,
    method: Method,
    url: &Url,
    body: Option<Vec<u8>>,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    let target = format!("{}{query}", url.path());
    let failed = |error: &dyn std::error::Error| Failure::because("cannot ask for that", error);
    let target = target.parse().map_err(|error| failed(&error))?;
    answer_locally(&opened.service, method, target, body).await.map_err(|error| failed(&error))
}

/// What an answer that is no good one says, with the exit code for it.
fn refused(status: StatusCode, answer: &[u8]) -> Failure {
    let exit = match status.as_u16() {
        404 => Exit::NotFound,
        401 | 403 | 409 => Exit::Refused,
        400 | 422 => Exit::Usage,
        _ => Exit::Failed,
    };
    let Ok(problem) = serde_json::from_slice::<Problem>(answer) else {
        return Failure::new(format!("the service answers {status}")).with(exit);
    };
    let wrong = problem.errors.unwrap_or_default();
    let wrong: Vec<_> = wrong.iter().map(|it| format!("{}: {}", it.field, it.message)).collect();
    let line = if wrong.is_empty() { problem.detail } else { wrong.join("; ") };
    Failure::new(line).with(exit)
}

fn no_folder(folder: &Path) -> Failure {
    let folder = folder.display();
    let line = format!("there are no sessions in {folder}; name the folder with --data-dir");
    Failure::new(line).with(Exit::NotFound)
}

fn unreachable(folder: &Path) -> Failure {
    let folder = folder.display();
    let line = format!("a process that does not answer at {SOCKET} holds {folder}; stop that one");
    Failure::new(line).with(Exit::Unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_not_in_the_address() {
        let query = serde_json::json!({ "subject": "a b&c", "active": true, "ip": null });
        let url = url("/admin/sessions", &query).unwrap();
        let mut asked: Vec<_> = url.query().unwrap().split('&').collect();
        asked.sort_unstable();
        assert_eq!(asked, ["active=true", "subject=a+b%26c"]);
        assert_eq!(super::url("/x", &()).unwrap().query(), None);
    }

    #[test]
    fn the_exit_code_follows_the_status() {
        let exit = |status| refused(StatusCode::from_u16(status).unwrap(), b"").exit();
        assert_eq!(
            [404, 403, 409, 422, 503].map(exit),
            [Exit::NotFound, Exit::Refused, Exit::Refused, Exit::Usage, Exit::Failed]
        );
    }
}
