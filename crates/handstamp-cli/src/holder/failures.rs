//! What a failure of the client means to whoever runs a command.

use handstamp_client::{AccountName, AuthError, BackendError, StorageError};
use handstamp_protocol::sessions::Reason;

use super::notes::End;
use crate::failure::{Exit, Failure, chain};
use crate::words::point;

/// What is left where nothing opens a session any more.
const GIVE_UP: &str =
    "if nothing does any more, handstamp accounts remove NAME --forget gives it up";

/// The words for what the client could not do.
pub(super) fn of(name: &AccountName, error: &AuthError) -> Failure {
    match error {
        AuthError::NotAuthenticated => nobody(name, None),
        AuthError::TokenExpired => over(name, None),
        AuthError::Ended { reason } => over(name, reason.as_ref()),
        AuthError::Offline { retry_at } => Failure::new(format!(
            "the service cannot be reached; the session of {name} stays, try again at {}",
            point(*retry_at)
        ))
        .with(Exit::Unreachable),
        AuthError::Storage(error) => of_storage(error),
        AuthError::NotKept { cause, revoked } => {
            let failure = of_storage(cause);
            let line = format!("{}; {}", failure.text(), given_back(revoked));
            Failure::new(line).with(failure.exit())
        }
        AuthError::Backend(error) => of_backend(error),
        error => Failure::new(chain(error)),
    }
}

/// What became of a session that came and could not be kept.
pub(super) fn given_back(revoked: &Result<(), BackendError>) -> String {
    match revoked {
        Ok(()) => "what came was given back: its session is ended".into(),
        Err(error) => format!(
            "what came could not be given back ({}): its session lives on at the service, \
             sign it out from another device",
            chain(error)
        ),
    }
}

/// Nobody is signed in, and perhaps it is known why.
pub(super) fn nobody(name: &AccountName, end: Option<&End>) -> Failure {
    let why =
        end.map(|end| format!(": {}, seen at {}", words(end.reason.as_ref()), point(end.seen_at)));
    let why = why.unwrap_or_default();
    Failure::new(format!("nobody is signed in as {name}{why}; see handstamp login --help"))
        .with(Exit::SignIn)
}

fn over(name: &AccountName, reason: Option<&Reason>) -> Failure {
    let line = format!("the session of {name} is over: {}; sign in again", words(reason));
    Failure::new(line).with(Exit::SignIn)
}

/// Why a session ended, in words.
pub(super) fn words(reason: Option<&Reason>) -> String {
    match reason {
        Some(Reason::Logout) => "signed out".into(),
        Some(Reason::LogoutAll) => "signed out everywhere".into(),
        Some(Reason::Revoked) => "signed out from another device".into(),
        Some(Reason::Replaced) => "replaced by a new sign-in".into(),
        Some(Reason::Limit) => "another device needed its place".into(),
        Some(Reason::Reuse) => "an old token of it came back, which may be theft".into(),
        Some(Reason::Disabled) => "the account is disabled".into(),
        Some(Reason::Admin) => "ended by an operator".into(),
        Some(Reason::Idle) => "not used for too long".into(),
        Some(Reason::Absolute) => "its longest time is over".into(),
        Some(Reason::Expired) => "its token is past its time".into(),
        Some(other) => other.to_string(),
        None => "the service knows it no more".into(),
    }
}

/// The words for a file or a keyring that has no answer. In none of these cases was anybody signed
/// out.
pub(super) fn of_storage(error: &StorageError) -> Failure {
    let said = chain(error);
    let (line, exit) = match error {
        StorageError::Locked => (
            "the keyring is locked, or does not answer; unlock it and try again".into(),
            Exit::Refused,
        ),
        StorageError::NoKey => (
            "there is no keyring here, or no key in it; HANDSTAMP_HOLDER_KEY gives a key, \
             --keyring never does without"
                .into(),
            Exit::Refused,
        ),
        StorageError::WrongKey | StorageError::Swapped => {
            (format!("the session cannot be used: {said}; {GIVE_UP}"), Exit::Refused)
        }
        StorageError::NotSealed | StorageError::ForeignOwner | StorageError::NotAFile => {
            (format!("the session cannot be used: {said}"), Exit::Refused)
        }
        StorageError::Damaged { set_aside } => (
            format!("the file of the session was damaged; it lies at {} now", set_aside.display()),
            Exit::Failed,
        ),
        StorageError::Newer { .. } => (
            format!("{said}: a later handstamp wrote it, which has to read it; {GIVE_UP}"),
            Exit::Failed,
        ),
        _ => (format!("the session cannot be read or kept: {said}"), Exit::Failed),
    };
    Failure::new(line).with(exit)
}

fn of_backend(error: &BackendError) -> Failure {
    match error {
        BackendError::Transient { cause, .. } => {
            let cause = cause.as_ref().map(|cause| format!(": {}", chain(&**cause)));
            let cause = cause.unwrap_or_default();
            Failure::new(format!("the service cannot be reached{cause}")).with(Exit::Unreachable)
        }
        BackendError::Status { status: 404 } => {
            Failure::new("the service knows no such session of yours").with(Exit::NotFound)
        }
        BackendError::Status { status: 403 } => {
            Failure::new("the service does not allow it").with(Exit::Refused)
        }
        BackendError::Refused { reason } => {
            let line = format!("the session is over: {}; sign in again", words(reason.as_ref()));
            Failure::new(line).with(Exit::SignIn)
        }
        error => Failure::new(chain(error)),
    }
}
