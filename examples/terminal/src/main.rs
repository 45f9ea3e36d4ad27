//! A terminal app with a screen that only somebody who is signed in sees. Whoever is not is led to
//! sign-in, and back to where he wanted to go. What is shown changes when the session does, also
//! when another program or another device ends it.
//!
//! ```text
//! $ handstamp serve --set guests.enabled=true
//! $ cargo run -p example-terminal
//! [signed out] > open /orders
//! sign in first: type sign-in
//! [signed out] > sign-in
//! [a guest] > the orders of a guest
//! ```

use std::io::{Write, stdout};

use handstamp::client::{
    AuthError, AuthState, Guard, HandstampBackend, Protection, SealedFile, SessionManager, Verdict,
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

const SERVICE: &str = "http://127.0.0.1:7070";
const SIGN_IN: &str = "/sign-in";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // For its owner only, and not sealed. In earnest: a key from a keyring.
    let manager = SessionManager::builder()
        .storage(SealedFile::new("terminal.session", Protection::Plain))
        .backend(HandstampBackend::new(SERVICE)?)
        .build();
    let _monitoring = manager.initialize_session_monitoring().await?;
    let mut app = App { manager, wanted: None };
    let mut states = app.manager.watch();
    let mut lines = BufReader::new(stdin()).lines();
    app.prompt()?;
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) if line.trim() != "quit" => app.obey(line.trim()).await?,
                _ => return Ok(()),
            },
            changed = states.changed() => changed?,
        }
        app.prompt()?;
    }
}

struct App {
    manager: SessionManager,
    /// Where the user wanted to go when he was led to sign-in.
    wanted: Option<String>,
}

impl App {
    async fn obey(&mut self, line: &str) -> std::io::Result<()> {
        let done = match line.split_once(' ') {
            Some(("open", path)) => return self.open(path),
            None if line == "sign-in" => self.sign_in().await,
            None if line == "sign-out" => self.manager.logout().await.map(drop),
            _ => return writeln!(stdout(), "open PATH, sign-in, sign-out or quit"),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => writeln!(stdout(), "{error}"),
        }
    }

    /// A guest needs no password. In earnest: ask for one, and call your server.
    async fn sign_in(&mut self) -> Result<(), AuthError> {
        self.manager.login_as_guest().await?;
        if let Some(path) = self.wanted.take() {
            // Whoever cannot write to the terminal finds out at the next prompt.
            let _ = self.open(&path);
        }
        Ok(())
    }

    /// Shows a screen, if it may be seen.
    fn open(&mut self, path: &str) -> std::io::Result<()> {
        match Guard::new(SIGN_IN).with_guests().check(&self.manager, path) {
            Verdict::Allow(session) => {
                let whose = session.name().unwrap_or("a guest");
                writeln!(stdout(), "{} of {whose}", path.trim_start_matches('/'))
            }
            Verdict::Redirect { return_to, .. } => {
                self.wanted = return_to;
                writeln!(stdout(), "sign in first: type sign-in")
            }
            Verdict::Wait => writeln!(stdout(), "one moment"),
            Verdict::Deny => writeln!(stdout(), "not for you"),
        }
    }

    fn prompt(&self) -> std::io::Result<()> {
        write!(stdout(), "[{}] > ", shown(&self.manager.state()))?;
        stdout().flush()
    }
}

/// A state, as it stands in the prompt.
fn shown(state: &AuthState) -> String {
    match state {
        AuthState::Guest(_) => "a guest".to_owned(),
        AuthState::Active(session) => session.name().unwrap_or("signed in").to_owned(),
        AuthState::Refreshing(_) => "one moment".to_owned(),
        AuthState::Offline(_) => "without a network".to_owned(),
        AuthState::Locked => "the session cannot be read".to_owned(),
        AuthState::Expired { reason: Some(reason) } => format!("signed out: {reason}"),
        _ => "signed out".to_owned(),
    }
}
