//! A dump made while the program runs, restored later into another database: what the guide says.

use std::process::Command;

use handstamp_core::record::EndReason;
use handstamp_core::{KeyRing, SessionConfig, SessionError, SessionManager};
use handstamp_postgres::PostgresStore;
use handstamp_postgres::testing::Server;

async fn manager(url: &str, keys: &KeyRing) -> SessionManager {
    let (store, config) = (PostgresStore::open(url).await.unwrap(), SessionConfig::default());
    SessionManager::builder(store, config, keys.clone()).maintenance(false).build()
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_dump_is_whole_and_signs_nobody_in_once_everybody_is_ended() {
    let (server, keys) = (Server::start(&["fsync=off"]), KeyRing::generate().unwrap());
    server.create("shop", "template0").await;
    server.create("again", "template0").await;
    let sessions = manager(&server.url("shop"), &keys).await;
    let stays = sessions.begin("alice").await.unwrap().token.to_text();
    let ends = sessions.begin("bob").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    done(
        server
            .tool("pg_dump")
            .args(["-Fc", "-n", "handstamp", "-f"])
            .arg(&dump)
            .arg(server.url("shop")),
    );
    assert!(sessions.end(ends.record.id, EndReason::Admin, None).await.unwrap());
    let whole = sessions.verify_log().await.unwrap();

    let again = server.url("again");
    done(server.tool("pg_restore").args(["--exit-on-error", "-d", &again]).arg(&dump));
    let restored = manager(&again, &keys).await;
    let log = restored.verify_log().await.unwrap();
    assert_eq!((log.first_bad, log.checked), (None, whole.checked - 1), "all but the end");
    let old = ends.token.to_text();
    assert!(restored.load(&stays).await.is_ok());
    assert!(restored.load(&old).await.is_ok(), "what ended after the dump lives again");
    restored.end_everybody(Some("operator")).await.unwrap();
    for token in [&stays, &old] {
        assert!(matches!(restored.load(token).await, Err(SessionError::Ended { .. })));
    }
    let fresh = restored.begin("carol").await.unwrap().token.to_text();
    assert!(restored.load(&fresh).await.is_ok());
    assert_eq!(restored.verify_log().await.unwrap().first_bad, None);
}
