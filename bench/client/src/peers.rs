//! What others hand out a token with.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use google_cloud_auth::credentials::{CacheableResource, Credentials, mds};
use oauth2::TokenResponse;
use oauth2::basic::{BasicTokenResponse, BasicTokenType};
use tokio::sync::Mutex;
use yup_oauth2::authenticator::DefaultAuthenticator;
use yup_oauth2::{ApplicationSecret, InstalledFlowAuthenticator, InstalledFlowReturnMethod};

use crate::Failure;

const LIFE: Duration = Duration::from_secs(1800);
const SCOPES: [&str; 1] = ["https://example.com/orders"];

/// The token of the crate `oauth2` behind Tokio's mutex, with the time when it came.
pub(crate) struct Mutexed(Mutex<(BasicTokenResponse, Instant)>);

impl Mutexed {
    pub(crate) fn new() -> Self {
        let token = oauth2::AccessToken::new("a".repeat(800));
        let mut response = BasicTokenResponse::new(
            token,
            BasicTokenType::Bearer,
            oauth2::EmptyExtraTokenFields {},
        );
        response.set_expires_in(Some(&LIFE));
        Self(Mutex::new((response, Instant::now())))
    }

    pub(crate) async fn token(&self) -> String {
        let held = self.0.lock().await;
        let life = held.0.expires_in().unwrap_or_default();
        assert!(held.1.elapsed() + Duration::from_secs(60) < life, "here people refresh");
        held.0.access_token().secret().clone()
    }
}

/// yup-oauth2 with a token that it finds in its file.
pub(crate) struct Yup(DefaultAuthenticator);

impl Yup {
    pub(crate) async fn new(folder: &std::path::Path) -> Result<Self, Failure> {
        let path = folder.join("yup.json");
        // The fortieth day of 2099, as the crate `time` writes it.
        let token = serde_json::json!([{ "scopes": SCOPES, "token": {
            "access_token": "a".repeat(800), "refresh_token": "r", "id_token": null,
            "expires_at": [2099, 40, 0, 0, 0, 0, 0, 0, 0] } }]);
        std::fs::write(&path, token.to_string())?;
        let how = InstalledFlowReturnMethod::HTTPRedirect;
        let builder = InstalledFlowAuthenticator::builder(ApplicationSecret::default(), how);
        Ok(Self(builder.persist_tokens_to_disk(path).build().await?))
    }

    pub(crate) async fn token(&self) -> String {
        let token = self.0.token(&SCOPES).await.expect("the token in its file");
        token.token().expect("a token").to_owned()
    }
}

/// google-cloud-auth before a metadata server, whose answer it keeps.
pub(crate) struct Google(Credentials);

impl Google {
    pub(crate) async fn new() -> Result<Self, Failure> {
        let endpoint = metadata_server()?;
        let google = Self(mds::Builder::default().with_endpoint(endpoint).build()?);
        google.headers().await;
        Ok(google)
    }

    /// A header with the token: it hands out nothing else.
    pub(crate) async fn headers(&self) -> http::HeaderMap {
        match self.0.headers(http::Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => data,
            other => panic!("{other:?}"),
        }
    }
}

/// Answers every question with a token.
fn metadata_server() -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let token = "a".repeat(800);
    let body = format!(r#"{{"access_token":"{token}","expires_in":3600,"token_type":"Bearer"}}"#);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let _ = write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        }
    });
    Ok(address)
}
