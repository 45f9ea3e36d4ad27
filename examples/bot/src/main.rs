//! A bot that works with two accounts at once. Each stays signed in by itself, across restarts.
//!
//! ```text
//! $ handstamp serve --set guests.enabled=true
//! $ cargo run -p example-bot
//! buyer: Session: VALID | Tokens: VALID | Cookies: MISSING | Age: 0m | Last API: 0m ago
//! seller: Session: VALID | Tokens: VALID | Cookies: MISSING | Age: 0m | Last API: 0m ago
//! ```

use std::io::{Write, stdout};
use std::time::Duration;

use handstamp::client::{
    AccountName, Accounts, AuthError, HandstampBackend, Protection, SealedFile, SessionManager,
};

const SERVICE: &str = "http://127.0.0.1:7070";
const NAMES: [&str; 2] = ["buyer", "seller"];
/// How often each has something to do.
const EVERY: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backend = HandstampBackend::new(SERVICE)?;
    let accounts = Accounts::open("bot-accounts", move |name, path| {
        // For its owner only, and not sealed. In earnest: a key from a secret manager.
        let file = SealedFile::new(path, Protection::Plain).for_account(name.as_str());
        SessionManager::builder().storage(file).backend(backend.clone()).build()
    })?;
    let mut workers = Vec::new();
    for name in NAMES.into_iter().filter_map(AccountName::new) {
        let manager = accounts.account(&name);
        workers.push(tokio::spawn(work(name, manager)));
    }
    for worker in workers {
        worker.await??;
    }
    Ok(())
}

/// What one account does, for ever.
async fn work(name: AccountName, manager: SessionManager) -> Result<(), AuthError> {
    // Renews the tokens in time, also while there is nothing to do.
    let _monitoring = manager.initialize_session_monitoring().await?;
    loop {
        match round(&manager).await {
            Ok(told) => tell(&name, &told),
            // A guest needs no password. In earnest: your server's sign-in.
            Err(error) if error.needs_sign_in() => manager.login_as_guest().await?,
            // The session stays; the next round may find the service.
            Err(error) => tell(&name, &error.to_string()),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// One thing that is done with the session: here, asking how it is.
async fn round(manager: &SessionManager) -> Result<String, AuthError> {
    manager.session_status().await?;
    manager.mark_api_call(Some(SERVICE)).await?;
    Ok(manager.get_session_summary().await)
}

fn tell(name: &AccountName, text: &str) {
    // Whoever reads along may be gone.
    let _ = writeln!(stdout(), "{name}: {text}");
}
