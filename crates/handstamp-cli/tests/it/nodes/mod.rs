//! Several services on one PostgreSQL: what one of them does is so on the others, over HTTP.

mod cut_off;
mod latency;
mod opening;
mod restarts;
mod sharing;

use handstamp_postgres::testing::{Database, block_on};
use serde_json::{Value as Json, json};

use crate::killed::clients::Wire;
use crate::world::{Served, World};

/// What services share: a database, a key ring, service keys.
pub(super) struct Shared {
    world: World,
    /// Of a service with every scope but `admin`.
    key: String,
    /// Of an operator.
    admin: String,
    database: Database,
}

impl Shared {
    fn new() -> Self {
        let mut shared = Self::empty();
        shared.make_keys();
        shared
    }

    /// A database with a key ring, that no service has used yet.
    fn empty() -> Self {
        let database = block_on(Database::new());
        // One issuer, as behind a proxy: it stands in every access token.
        let world = World::new().with("HANDSTAMP_TOKENS_ISSUER", "http://localhost:7070");
        let world = world.with("HANDSTAMP_STORE_URL", &database.url());
        world.run(&["keys", "generate", "--keys", "shared.keys"]).out();
        Self { world, key: String::new(), admin: String::new(), database }
    }

    /// Makes the service keys, by the node `one` if it runs.
    fn make_keys(&mut self) {
        let [key, admin] = ["sessions", "admin"].map(|scope| {
            let create = ["service-key", "create", "--name", scope, "--scope", scope, "--json"];
            let of = ["--keys", "shared.keys", "--data-dir", "one"];
            text(&self.world.run(&[&create[..], &of].concat()).json(), "key").to_owned()
        });
        (self.key, self.admin) = (key, admin);
    }

    /// A service at any port.
    fn serve(&self, node: &str, settings: &[&str]) -> Served {
        self.serve_at("127.0.0.1:0", node, settings)
    }

    fn serve_at(&self, listen: &str, node: &str, settings: &[&str]) -> Served {
        let own = ["serve", "--listen", listen, "--data-dir", node, "--keys", "shared.keys"];
        let limits = ["--set", "limits.refresh=none", "--set", "limits.begin=none"];
        self.world.start(&[&own[..], &limits, settings].concat())
    }

    fn pair(&self, settings: &[&str]) -> [Served; 2] {
        ["one", "other"].map(|node| self.serve(node, settings))
    }

    /// A session begins.
    fn begin(&self, wire: &mut Wire, subject: &str) -> Json {
        let body = json!({ "subject": subject });
        let (status, begun) = wire.ask("/sessions", Some(&self.key), &body).unwrap();
        assert_eq!(status, 201, "{begun}");
        begun
    }
}

fn wires(served: &[Served; 2]) -> [Wire; 2] {
    [0, 1].map(|node| Wire::open(&served[node].url).unwrap())
}

pub(crate) fn text<'a>(answer: &'a Json, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}"))
}

/// Whether a node takes an access token.
pub(crate) fn accepts(wire: &mut Wire, token: &str) -> bool {
    let (status, answer) = wire.get("/sessions/status", token).unwrap();
    assert_eq!(status, 200, "{answer}");
    answer["is_active"].as_bool().unwrap()
}

pub(crate) fn sign_out(wire: &mut Wire, begun: &Json) {
    let body = json!({ "refresh_token": text(begun, "refresh_token") });
    let (status, answer) = wire.ask("/sessions/logout", None, &body).unwrap();
    assert_eq!((status, &answer["ended"]), (200, &json!(true)), "{answer}");
}
