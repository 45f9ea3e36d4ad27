//! A command line that stays signed in: a session that outlives the program, is renewed when that
//! is due, and ends at the service when it ends here.
//!
//! ```text
//! $ handstamp serve --set guests.enabled=true
//! $ cargo run -p example-holder -- sign-in
//! Session: VALID | Tokens: VALID | Cookies: MISSING | Age: 0m | Last API: never
//! $ cargo run -p example-holder -- devices
//! * a device, since 2026-11-28T12:30:55.742Z
//! $ cargo run -p example-holder -- sign-out
//! signed out
//! ```

use std::io::{Write, stdout};

use handstamp::client::{
    AuthError, HandstampBackend, Protection, SealedFile, SessionManager, SignedOut,
};

const SERVICE: &str = "http://127.0.0.1:7070";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // For its owner only, and not sealed. In earnest: a key from a keyring or a secret manager.
    let manager = SessionManager::builder()
        .storage(SealedFile::new("holder.session", Protection::Plain))
        .backend(HandstampBackend::new(SERVICE)?)
        .build();
    let told = match std::env::args().nth(1).as_deref() {
        Some("sign-in") => sign_in(&manager).await,
        Some("status") => Ok(manager.get_session_summary().await),
        Some("devices") => devices(&manager).await,
        Some("sign-out") => sign_out(&manager).await,
        _ => Ok("sign-in, status, devices or sign-out".to_owned()),
    };
    match told {
        Ok(told) => writeln!(stdout(), "{told}")?,
        Err(error) if error.needs_sign_in() => writeln!(stdout(), "{error}: sign in")?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// A guest needs no password. For a user your server would be asked, and what it answers handed to
/// `create_session_from_login_result`.
async fn sign_in(manager: &SessionManager) -> Result<String, AuthError> {
    manager.login_as_guest().await?;
    Ok(manager.get_session_summary().await)
}

async fn devices(manager: &SessionManager) -> Result<String, AuthError> {
    let sessions = manager.user_sessions(None).await?.sessions;
    let lines = sessions.iter().map(|session| {
        let mark = if session.is_current { '*' } else { ' ' };
        let device = session.device_info.as_deref().unwrap_or("a device");
        format!("{mark} {device}, since {}", session.created_at)
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

async fn sign_out(manager: &SessionManager) -> Result<String, AuthError> {
    Ok(match manager.logout().await? {
        SignedOut::Everywhere => "signed out",
        SignedOut::Here => "signed out here; the service will hear of it",
        SignedOut::Nobody => "nobody was signed in",
    }
    .to_owned())
}
