//! Forward-auth behind proxies as they are, configured as the guide says.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use handstamp_verify::{KeySet, jws};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{World, send};

const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy that runs until the test is over, between the world and an application that echoes what
/// it was passed on.
struct Proxy {
    child: Child,
    host: String,
    _folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// Starts `command` on this configuration; `{listen}`, `{service}`, `{app}` and `{folder}` in it
    /// are filled in.
    async fn start(world: &World, config: &str, command: fn(&Path) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = world.url.trim_start_matches("http://");
        let (host, app) = (free_host(), echo().await);
        let text = config
            .replace("{listen}", &host)
            .replace("{service}", service)
            .replace("{app}", &app)
            .replace("{folder}", folder.path().to_str().unwrap());
        std::fs::write(folder.path().join("config"), text).unwrap();
        let mut command = command(folder.path());
        command.env("HOME", folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("the tests need nginx and caddy: cargo xtask test");
        let proxy = Self { child, host, _folder: folder };
        tokio::time::timeout(PATIENCE, proxy.is_up()).await.expect("the proxy does not start");
        proxy
    }

    async fn is_up(&self) {
        let mut turn = tokio::time::interval(Duration::from_millis(20));
        while tokio::net::TcpStream::connect(&self.host).await.is_err() {
            turn.tick().await;
        }
    }

    /// Asks for something, with all that a client may try.
    fn ask(&self, world: &World, method: Method, cookie: &str) -> RequestBuilder {
        let address = format!("http://{}/cart?allow_guest=true", self.host);
        let request = world.http.request(method, address);
        request.header("cookie", cookie).header("x-handstamp-subject", "forged")
    }
}

/// A port that is free now.
fn free_host() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// An application that answers the headers that it was asked with.
async fn echo() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let answer = async |headers: http::HeaderMap| {
        let values = headers.iter().map(|(name, value)| {
            (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes())))
        });
        axum::Json(Value::Object(values.collect()))
    };
    let app = axum::Router::new().fallback(answer);
    tokio::spawn(axum::serve(listener, app).into_future());
    host
}

async fn behind_a_proxy() -> World {
    World::with(&[("server.trusted_proxies", "127.0.0.1")]).await
}

/// What every proxy must do.
async fn guards(world: &World, proxy: &Proxy) {
    let cookie = world.begin_cookie("ada, Zoë").await;
    let guest = json!({ "subject": "g", "kind": "guest", "transport": "cookie" });
    let guest = send(world.post("/sessions").bearer_auth(&world.key).json(&guest)).await;
    let guest = guest.json["set_cookie"][0].as_str().unwrap().split(';').next().unwrap();
    let asked = send(proxy.ask(world, Method::GET, guest)).await;
    assert_eq!(asked.status, 401, "the query of a client is none of the proxy's");
    let nobody = send(proxy.ask(world, Method::GET, "a=b")).await;
    assert_eq!(nobody.status, 401);
    let passed = send(proxy.ask(world, Method::GET, &cookie)).await;
    assert_eq!(passed.status, 200);
    assert_eq!(passed.json["x-handstamp-subject"], "ada%2C%20Zo%C3%AB", "and nothing forged");
    assert_eq!(passed.json["x-handstamp-kind"], "user");
    let jwks = world.get("/.well-known/jwks.json").send().await.unwrap().bytes().await.unwrap();
    let keys = KeySet::from_jwks(&jwks).unwrap();
    let assertion = passed.json["x-handstamp-assertion"].as_str().unwrap();
    let typ = handstamp_protocol::verify::ASSERTION_TYPE;
    assert_eq!(jws::verify(assertion, typ, &keys).unwrap()["aud"], *proxy.host);
    let own = proxy.ask(world, Method::POST, &cookie).header("sec-fetch-site", "same-origin");
    assert_eq!(send(own).await.status, 200);
    let by_origin = format!("http://{}", proxy.host);
    let own = proxy.ask(world, Method::POST, &cookie).header("origin", by_origin);
    assert_eq!(send(own).await.status, 200);
    let foreign = || proxy.ask(world, Method::POST, &cookie).header("sec-fetch-site", "cross-site");
    assert_eq!(send(foreign()).await.status, 403);
    for name in ["x-forwarded-method", "x-original-method"] {
        let status = send(foreign().header(name, "GET")).await.status;
        assert!([400, 403].contains(&status), "{name} from a client gives {status}");
    }
    let logout = world.post("/sessions/logout").header("cookie", &cookie);
    send(logout.header("sec-fetch-site", "same-origin")).await;
    assert_eq!(send(proxy.ask(world, Method::GET, &cookie)).await.status, 401);
}

#[tokio::test]
async fn b13_nginx_lets_nobody_pass_who_is_not_signed_in() {
    let world = behind_a_proxy().await;
    let nginx = |folder: &Path| {
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]).arg(folder.join("config"));
        command
    };
    let proxy = Proxy::start(&world, include_str!("proxies/nginx.conf"), nginx).await;
    guards(&world, &proxy).await;
}

#[tokio::test]
async fn b13_caddy_lets_nobody_pass_who_is_not_signed_in() {
    let world = behind_a_proxy().await;
    let caddy = |folder: &Path| {
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("config"));
        command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder).stderr(Stdio::null());
        command
    };
    let proxy = Proxy::start(&world, include_str!("proxies/Caddyfile"), caddy).await;
    guards(&world, &proxy).await;
}
