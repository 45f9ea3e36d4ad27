//! Our service, started as anybody starts it, and asked over HTTP.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{Connection, json};
use super::peers::{bearer, one};
use super::process::{Place, Process, free_port};
use crate::{Fault, disk};

pub(crate) const STATUS: &str = "/sessions/status";
pub(crate) const VERIFY: &str = "/sessions/verify";
pub(crate) const MY_SESSIONS: &str = "/sessions/my-sessions";
pub(crate) const BEGIN: &str = "/sessions";
const REFRESH: &str = "/sessions/refresh";

/// Limits that one machine alone would run into; who asks here is also the proxy that verifies.
const SETTINGS: [&str; 4] = [
    "limits.begin=none",
    "limits.refresh=none",
    "store.synchronous=full",
    "server.trusted_proxies=127.0.0.1",
];

/// What a proxy tells of the request that it asks about.
const FORWARDED: [(&str, &str); 4] = [
    ("x-forwarded-method", "GET"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "shop.example"),
    ("x-forwarded-uri", "/cart"),
];

/// Builds the program, on all processors.
///
/// # Errors
/// It does not build.
pub(crate) fn build() -> Result<PathBuf, Fault> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--package", "handstamp-cli"]);
    if !command.current_dir(&root).status()?.success() {
        return Err("the handstamp program could not be built".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(target.join("release/handstamp"))
}

/// The service that runs, on an empty folder of its own.
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) port: u16,
    /// The service key that may begin sessions.
    key: HeaderMap,
    pub(crate) folder: TempDir,
}

/// Who has signed in with tokens.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Service {
    /// Starts it, with a service key.
    pub(crate) async fn start(program: &Path) -> Result<Self, Fault> {
        let folder = disk::scratch()?;
        let key = service_key(program, folder.path())?;
        let port = free_port()?;
        let mut command = command(program, &["serve"], folder.path());
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        SETTINGS.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        let log = folder.path().join("log");
        let mut process = Process::start(&command, Place::Measured, &log)?;
        process.ready(port, "/readyz").await?;
        Ok(Self { process, port, key: bearer(&key)?, folder })
    }

    /// The headers of the service that signs people in.
    pub(crate) const fn key(&self) -> &HeaderMap {
        &self.key
    }

    /// What a connection of the service answers when `subject` signs in.
    async fn begin(&self, connection: &mut Connection, body: &Value) -> Result<Value, Fault> {
        json(&connection.post(BEGIN, self.key.clone(), body).await?)
    }

    /// Signs somebody in with tokens.
    pub(crate) async fn with_tokens(
        &self,
        connection: &mut Connection,
        subject: &str,
    ) -> Result<Tokens, Fault> {
        tokens(&self.begin(connection, &body(subject, &address_of(subject), "token")).await?)
    }

    /// Signs somebody in with a cookie; the header of a request with it.
    pub(crate) async fn with_cookie(
        &self,
        connection: &mut Connection,
        subject: &str,
    ) -> Result<HeaderMap, Fault> {
        let issued = self.begin(connection, &body(subject, &address_of(subject), "cookie")).await?;
        let set = issued["set_cookie"][0].as_str().ok_or("no cookie was set")?;
        let pair = set.split(';').next().unwrap_or_default();
        Ok(one(header::COOKIE, HeaderValue::from_str(pair)?))
    }
}

/// Exchanges a refresh token.
pub(crate) async fn refresh(connection: &mut Connection, token: &str) -> Result<Tokens, Fault> {
    let body = json!({ "refresh_token": token });
    tokens(&json(&connection.post(REFRESH, HeaderMap::new(), &body).await?)?)
}

/// The headers of somebody's request and, where a proxy passes them on to be verified, its own.
pub(crate) fn as_asked(path: &str, mut headers: HeaderMap) -> HeaderMap {
    let forwarded = FORWARDED.into_iter().filter(|_| path == VERIFY);
    headers.extend(
        forwarded
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))),
    );
    headers
}

/// A request for `path` with these headers.
pub(crate) fn get(path: &str, headers: &HeaderMap) -> Result<Request<Full<Bytes>>, Fault> {
    let mut request = Request::get(path).body(Full::default())?;
    *request.headers_mut() = headers.clone();
    Ok(request)
}

/// What a sign-in says: as much as an application knows of a person.
pub(crate) fn body(subject: &str, address: &str, transport: &str) -> Value {
    json!({
        "subject": subject,
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "transport": transport,
        "amr": ["pwd"],
        "client": {
            "ip_address": address,
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        },
    })
}

/// Everybody is somewhere else: the risk rules tell of one address that signs many people in.
fn address_of(subject: &str) -> String {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    let [.., a, b, c] = hasher.finish().to_be_bytes();
    format!("10.{a}.{b}.{c}")
}

fn tokens(issued: &Value) -> Result<Tokens, Fault> {
    let text = |name: &str| issued[name].as_str().map(str::to_owned).ok_or("a token is missing");
    Ok(Tokens { access: text("access_token")?, refresh: text("refresh_token")? })
}

/// A command on the data and keys in `folder`.
fn command(program: &Path, words: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(words).arg("--data-dir").arg(folder.join("data"));
    command.arg("--keys").arg(folder.join("handstamp.keys"));
    // Nobody's settings but ours.
    command.current_dir(folder).env("HOME", folder).env("XDG_CONFIG_HOME", folder);
    command
}

fn service_key(program: &Path, folder: &Path) -> Result<String, Fault> {
    let mut command = command(program, &["service-key", "create"], folder);
    command.args(["--name", "bench", "--scope", "sessions", "--json"]);
    let output = command.output()?;
    let told = || format!("service-key: {}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| told())?;
    Ok(answer["key"].as_str().ok_or_else(told)?.to_owned())
}
