//! Servers that cannot be used: a standby, one whose certificate nobody knows, one that is full.

use std::error::Error;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use handstamp_core::store::SessionStore;
use handstamp_postgres::testing::Server;
use handstamp_postgres::{PostgresError, PostgresStore};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// What is told of an error with its causes.
fn told(error: &PostgresError) -> String {
    let (mut told, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        told.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    told
}

async fn refused(url: &str) -> PostgresError {
    let error = PostgresStore::open(url).await.expect_err("it is refused");
    assert!(!told(&error).contains('\n'), "one line: {error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_and_one_that_takes_over_is_not() {
    let primary = Server::start(&["fsync=off"]);
    primary.create("shop", "template0").await;
    let store = PostgresStore::open(&primary.url("shop")).await.unwrap();
    store.close().await.unwrap();
    let standby = primary.standby();
    let error = refused(&standby.url("shop")).await;
    assert!(matches!(error, PostgresError::ReadOnly), "{error:?}");
    assert!(error.to_string().contains("connect to the primary"));
    standby.run("postgres", "SELECT pg_promote()").await;
    let promoted = PostgresStore::open(&standby.url("shop")).await.unwrap();
    assert_eq!(promoted.meta().partition_key, store.meta().partition_key);
}

/// A certificate for `name`, signed by itself, and its key.
fn certificate(name: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["crt", "key"].map(|end| folder.path().join(end));
    let mut make = Command::new("openssl");
    make.args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    make.args(["-days", "2", "-subj", &format!("/CN={name}")]);
    make.args(["-addext", &format!("subjectAltName=IP:{name}")]);
    make.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    make.arg("-out").arg(&certificate).arg("-keyout").arg(&key);
    let made = make.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    [certificate, key].map(|path| std::fs::read_to_string(path).unwrap()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_known_by_its_certificate_and_another_is_refused() {
    let address = "127.0.0.1";
    let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
    let [listens, at] = [format!("listen_addresses={address}"), format!("port={port}")];
    let server = Server::start(&["fsync=off", &listens, &at]);
    server.create("shop", "template0").await;
    let (own, key) = certificate(address);
    server.speak_tls(&own, &key).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (right, wrong) = (ca("right.pem", &own), ca("wrong.pem", &certificate(address).0));
    let url = |rest: &str| format!("postgres://handstamp@{address}:{port}/shop?{rest}");
    let checked = |ca: &str| url(&format!("sslmode=verify-full&sslrootcert={ca}"));
    PostgresStore::open(&checked(&right)).await.unwrap();
    PostgresStore::open(&url("sslmode=require")).await.unwrap();
    let error = refused(&checked(&wrong)).await;
    assert!(matches!(error, PostgresError::Tls(_)), "{error:?}");
    let missing = folder.path().join("missing.pem").display().to_string();
    for (mode, setting) in [("verify-full", "sslrootcert"), ("prefer", "sslcert")] {
        let error = refused(&url(&format!("sslmode={mode}&{setting}={missing}"))).await;
        assert!(matches!(error, PostgresError::File { .. }), "{error:?}");
        assert!(error.to_string().contains(&missing), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_connections_are_all_in_use_is_said_to_have_none() {
    let server =
        Server::start(&["fsync=off", "max_connections=5", "superuser_reserved_connections=0"]);
    server.create("shop", "template0").await;
    let mut held = Vec::new();
    // Those that made the database may not be gone yet.
    let options: PgConnectOptions = server.url("postgres").parse().unwrap();
    for _ in 0..3000 {
        match options.connect().await {
            Ok(connection) => held.push(connection),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        if held.len() == 5 {
            break;
        }
    }
    assert_eq!(held.len(), 5);
    let error = refused(&server.url("shop")).await;
    assert!(matches!(error, PostgresError::Exhausted(_)), "{error:?}");
    drop(held);
}
