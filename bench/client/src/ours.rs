//! The client as it is measured: signed in, with a server that answers at once.

use std::time::Duration;

use handstamp_client::testing::TestServer;
use handstamp_client::{Granted, SessionManager, Storage};

use crate::Failure;

/// How long an access token lives.
const LIFE: Duration = Duration::from_secs(1800);

/// Somebody who is signed in, by the clock of the system.
pub(crate) async fn signed_in(storage: impl Storage) -> Result<SessionManager, Failure> {
    let server = TestServer::new(LIFE);
    let manager = SessionManager::builder().storage(storage).backend(server.clone()).build();
    // As long as a signed token is.
    let granted = Granted { access_token: "a".repeat(800).into(), ..server.sign_in() };
    manager.create_session_from_login_result(granted, None).await?;
    Ok(manager)
}
