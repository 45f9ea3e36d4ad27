//! Access tokens as each algorithm signs them, checked by hand: by nothing that Handstamp wrote.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_server::settings::{Inputs, load};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{World, send};

const SECRET: &str = "a secret of 32 bytes, or more....";

/// A token, taken apart.
struct Parts<'a> {
    header: Value,
    claims: Value,
    message: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Self {
        let (message, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let json = |part: &str| serde_json::from_slice(&decoded(part)).unwrap();
        Self {
            header: json(header),
            claims: json(claims),
            message: message.as_bytes(),
            signature: decoded(signature),
        }
    }

    fn is_signed_with(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(self.message);
        mac.verify_slice(&self.signature).is_ok()
    }
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn with_secret(settings: &[(&str, &str)]) -> World {
    let settings = [&[("tokens.algorithm", "HS256")], settings].concat();
    World::with_environment(&settings, &[("HANDSTAMP_TOKENS_SECRET", SECRET)]).await
}

#[tokio::test]
async fn x02_an_access_token_by_a_shared_secret_is_checked_with_that_secret_alone() {
    let world = with_secret(&[]).await;
    let begun = world.begin_with(json!({ "subject": "ada", "roles": ["editor"] })).await;
    let token = begun.access_token.expose();
    let parts = Parts::of(token);
    assert_eq!((&parts.header["alg"], &parts.header["typ"]), (&json!("HS256"), &json!("at+jwt")));
    assert!(parts.is_signed_with(SECRET));
    assert!(!parts.is_signed_with("another secret of 32 bytes or more"));
    assert_eq!((&parts.claims["sub"], &parts.claims["roles"]), (&json!("ada"), &json!(["editor"])));
    assert_eq!(parts.claims["sid"], json!(begun.session.id));
    assert_eq!(world.status(token).await.json["is_active"], true);
    let refreshed = world.refresh(begun.refresh_token.expose()).await;
    assert!(Parts::of(refreshed.json["access_token"].as_str().unwrap()).is_signed_with(SECRET));
    send(world.post("/sessions/logout").bearer_auth(token)).await;
    let dead = send(world.get("/sessions/my-sessions").bearer_auth(token)).await;
    assert_eq!(dead.problem(), (401, "SESSION_ENDED"), "the signature alone is not enough");
}

#[tokio::test]
async fn x02_a_token_by_another_secret_or_none_is_refused() {
    let world = with_secret(&[]).await;
    let begun = world.begin("ada").await;
    let Parts { header, claims, .. } = Parts::of(begun.access_token.expose());
    let none = json!({ "alg": "none", "typ": "at+jwt" });
    let root = {
        let mut claims = claims.clone();
        claims["roles"] = json!(["handstamp:admin"]);
        claims
    };
    let (head, tail) = begun.access_token.expose().rsplit_once('.').unwrap();
    let promoted = format!("{}.{}.{tail}", encoded(&header), encoded(&root));
    let rows = [
        ("another secret", signed(&header, &claims, "another secret of 32 bytes or more")),
        ("the name of the key as the secret", {
            let kid = header["kid"].as_str().unwrap();
            signed(&header, &claims, kid)
        }),
        ("an empty secret", signed(&header, &claims, "")),
        ("no algorithm", format!("{}.{}.", encoded(&none), encoded(&claims))),
        ("no signature", format!("{head}.")),
        ("other claims", promoted),
    ];
    for (what, token) in rows {
        let answer = send(world.get("/sessions/my-sessions").bearer_auth(&token)).await;
        assert_eq!(answer.problem(), (401, "JWT_INVALID"), "{what}");
    }
    let good = signed(&header, &claims, SECRET);
    assert_eq!(world.status(&good).await.json["is_active"], true, "the forgeries are well-formed");
}

#[tokio::test]
async fn x02_the_secret_is_not_among_the_public_keys_nor_in_anything_that_is_told() {
    let world = with_secret(&[]).await;
    let keys = send(world.get("/.well-known/jwks.json")).await;
    assert_eq!(keys.json, json!({ "keys": [] }));
    for path in ["/openapi.json", "/admin/sessions", "/metrics", "/admin/logs"] {
        let told = send(world.get(path).bearer_auth(&world.admin)).await;
        assert_eq!(told.status, 200, "{path}");
        assert!(!told.json.to_string().contains("a secret of"), "{path}");
    }
}

#[tokio::test]
async fn x02_the_cookie_of_the_access_token_is_for_this_host_and_no_script_reads_it() {
    let world = with_secret(&[("cookies.access_token", "true"), ("cookies.secure", "true")]).await;
    let body = json!({ "subject": "ada", "transport": "cookie" });
    let begun = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
    let cookie = begun.json["set_cookie"][1].as_str().unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    let attributes: Vec<&str> = attributes.split("; ").collect();
    let (name, token) = pair.split_once('=').unwrap();
    assert_eq!(name, "__Host-handstamp-access");
    for attribute in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(attributes.contains(&attribute), "{attribute}: {cookie}");
    }
    assert!(!attributes.iter().any(|one| one.starts_with("Domain")), "{cookie}");
    assert!(Parts::of(token).is_signed_with(SECRET));
    assert_eq!(world.status(token).await.json["is_active"], true);
}

/// What stops the program says so in one line that does not repeat the secret.
#[tokio::test]
async fn x02_a_secret_that_is_missing_or_short_is_refused_in_one_line() {
    let refused = |secret: Option<&str>| {
        let inputs = Inputs::new().flag("tokens.algorithm", "HS256", "--set");
        let variable = secret.map(|secret| ("HANDSTAMP_TOKENS_SECRET".into(), secret.into()));
        load(&inputs.environment(variable)).unwrap_err().to_string()
    };
    for (secret, expected) in [
        (None, "tokens.secret is none"),
        (Some(""), "tokens.secret is ********"),
        (Some("hunter2"), "tokens.secret is ********"),
        (Some(&SECRET[..31]), "tokens.secret is ********"),
    ] {
        let line = refused(secret);
        assert!(line.contains(expected) && line.contains("32"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(secret.is_none_or(|it| it.is_empty() || !line.contains(it)), "{line}");
    }
}

#[tokio::test]
async fn s68_access_tokens_by_es256_and_ed25519_are_checked_with_the_published_key() {
    for (algorithm, curve) in [("ES256", "P-256"), ("Ed25519", "Ed25519")] {
        let world = World::with(&[("tokens.algorithm", algorithm)]).await;
        let begun = world.begin("ada").await;
        let parts = Parts::of(begun.access_token.expose());
        assert_eq!(
            (&parts.header["alg"], &parts.header["typ"]),
            (&json!(algorithm), &json!("at+jwt"))
        );
        let set = send(world.get("/.well-known/jwks.json")).await.json;
        let keys = set["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["kid"] == parts.header["kid"]).unwrap();
        assert_eq!((&key["alg"], &key["crv"]), (&json!(algorithm), &json!(curve)));
        assert!(key.get("d").is_none(), "the private half stays");
        let part = |name: &str| decoded(key[name].as_str().unwrap());
        let checked = match algorithm {
            "ES256" => {
                let point = [vec![4], part("x"), part("y")].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(parts.message, &parts.signature)
            }
            _ => {
                UnparsedPublicKey::new(&ED25519, part("x")).verify(parts.message, &parts.signature)
            }
        };
        assert!(checked.is_ok(), "{algorithm}");
        assert_eq!(world.status(begun.access_token.expose()).await.json["is_active"], true);
    }
}
