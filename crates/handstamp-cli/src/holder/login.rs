//! `handstamp login`.

use std::time::Duration;

use handstamp_client::{
    AuthBackend, AuthError, AuthTokens, BackendError, HandstampBackend, Outcome, SessionManager,
    StorageError,
};
use handstamp_protocol::sessions::TokenAnswer;
use handstamp_protocol::why::{Why, WhyRequest};
use handstamp_protocol::{Secret, Time, paths};
use serde_json::json;

use super::opened::Opened;
use super::{Flags, browser, failures, http, notes, paste};
use crate::failure::{Exit, Failure, chain, say};
use crate::folders::make_private;
use crate::output;

/// How long the service may take to say whether it knows a token.
const PATIENCE: Duration = Duration::from_secs(10);

/// No answer to that is larger, in bytes.
const LARGEST: usize = 64 * 1024;

/// How refresh tokens begin.
const REFRESH: &str = "hsr_";

/// Where, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The address of the service [default: that of the account, or what the application says]
    #[arg(long, value_name = "URL")]
    service: Option<String>,

    /// Sign in with the browser of this machine, at this page of an application
    #[arg(long, value_name = "URL", conflicts_with = "with_token")]
    through: Option<String>,

    /// Print the address of the page and open no browser
    #[arg(long, requires = "through")]
    no_browser: bool,

    /// Read a token from stdin, without showing it: a refresh token (hsr_…), or the whole answer of
    /// POST /sessions
    #[arg(long, required_unless_present = "through")]
    with_token: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// What was pasted.
enum Pasted {
    Refresh(Secret),
    Answer(Box<TokenAnswer>),
}

/// Signs in.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        let (service, pasted, is_sealed) = match &options.through {
            Some(page) => through(options, opened, page).await?,
            None => by_token(options, opened).await?,
        };
        let manager = keep(opened, service, pasted).await?;
        finish(options, opened, &manager, is_sealed).await
    })
}

/// Signs in with a token that is pasted or piped in.
async fn by_token(options: &Options, opened: &Opened) -> Result<(String, Pasted, bool), Failure> {
    let named = options.service.as_deref().map(notes::address).transpose()?;
    let service = named.map_or_else(|| opened.vouched_service(), Ok)?;
    let service = fitting(opened, service)?;
    let is_sealed = probe(opened)?;
    let pasted = pasted(&paste::secret("Token (it is not shown): ")?)?;
    ask_about(&service, pasted.refresh_token()).await?;
    Ok((service, pasted, is_sealed))
}

/// Signs in with a browser. What comes from another service than the one that is meant is given
/// back.
async fn through(
    options: &Options,
    opened: &Opened,
    page: &str,
) -> Result<(String, Pasted, bool), Failure> {
    let named = options.service.as_deref().map(notes::address).transpose()?;
    if let Some(named) = &named {
        fitting(opened, named.clone())?;
    }
    let is_sealed = probe(opened)?;
    let opening = Some(opened.folder()).filter(|_| !options.no_browser);
    let granted = browser::sign_in(page, opening).await?;
    let service = notes::address(&granted.service).and_then(|said| match &named {
        Some(named) if *named != said => {
            let line = format!("{page} gave a session of {said}, and not of {named}");
            Err(Failure::new(line).with(Exit::Refused))
        }
        _ => fitting(opened, said),
    });
    match service {
        Ok(service) => Ok((service, Pasted::Answer(Box::new(granted.answer)), is_sealed)),
        Err(failure) => Err(refused(granted, failure).await),
    }
}

/// What came is of a service that was not meant. It goes back to the one that it says it is of, if a
/// token may go there at all.
async fn refused(granted: browser::Granted, failure: Failure) -> Failure {
    let pasted = Pasted::Answer(Box::new(granted.answer));
    match notes::address(&granted.service) {
        Ok(service) => gave_back(&service, pasted, failure).await,
        Err(_) => {
            let end = failures::given_back(&Err(BackendError::passing()));
            Failure::new(format!("{}; {end}", failure.text())).with(failure.exit())
        }
    }
}

/// The service, unless the account belongs to another one.
fn fitting(opened: &Opened, named: String) -> Result<String, Failure> {
    match opened.service()? {
        // What is sealed for one service does not open for another; the address beside it may be
        // the one that is wrong.
        Some(known)
            if known != named
                && opened.path(&opened.name).exists()
                && !opened.opens_for(&named) =>
        {
            let line = format!(
                "account {} belongs to {known}; sign it out first, or take another with --account",
                opened.name
            );
            Err(Failure::new(line).with(Exit::Refused))
        }
        _ => Ok(named),
    }
}

/// Whether the session would be sealed. Before anything is asked: a token that cannot be kept would
/// be lost.
fn probe(opened: &Opened) -> Result<bool, Failure> {
    make_private(opened.folder(), "--accounts-dir")?;
    match opened.file().probe() {
        // Whether it opens for the service that is meant is looked at once that is known.
        Err(StorageError::Swapped) => Ok(true),
        probed => probed.map_err(|error| failures::of_storage(&error)),
    }
}

fn pasted(text: &str) -> Result<Pasted, Failure> {
    if text.starts_with(REFRESH) {
        return Ok(Pasted::Refresh(Secret::new(text)));
    }
    if text.starts_with('{') {
        // The error could quote a token.
        let wrong = |_| Failure::new("that is not an answer of POST /sessions").with(Exit::Usage);
        return Ok(Pasted::Answer(Box::new(serde_json::from_str(text).map_err(wrong)?)));
    }
    let line =
        "that is no refresh token: it begins with hsr_ and stands in the answer to a sign-in";
    Err(Failure::new(line).with(Exit::Usage))
}

impl Pasted {
    const fn refresh_token(&self) -> &Secret {
        match self {
            Self::Refresh(token) => token,
            Self::Answer(answer) => &answer.refresh_token,
        }
    }
}

/// Asks the service whether it knows this token, which uses nothing up: a mistake is to cost
/// nobody the session that is there.
async fn ask_about(service: &str, token: &Secret) -> Result<(), Failure> {
    let away = |error: reqwest::Error| {
        let error = error.without_url();
        let line = format!("there is no session service at {service}: {}", chain(&error));
        Failure::new(line).with(Exit::Unreachable)
    };
    let client = http::client(service, PATIENCE).map_err(away)?;
    let request = client.post(format!("{service}{}", paths::WHY));
    let request = request.json(&WhyRequest { token: token.clone() });
    let mut answer = request.send().await.map_err(away)?;
    if answer.status() == reqwest::StatusCode::UNAUTHORIZED {
        let line = format!("{service} does not know this token");
        return Err(Failure::new(line).with(Exit::SignIn));
    }
    let status = answer.error_for_status_ref().map(drop);
    status.map_err(away)?;
    let body = http::body(&mut answer, LARGEST).await.map_err(away)?;
    let why: Option<Why> = body.and_then(|body| serde_json::from_slice(&body).ok());
    let line = || format!("there is no session service at {service}: its answer is of none");
    let why = why.ok_or_else(|| Failure::new(line()).with(Exit::Unreachable))?;
    if why.is_active {
        return Ok(());
    }
    let why = failures::words(why.reason.as_ref());
    Err(Failure::new(format!("the session of this token is over: {why}")).with(Exit::SignIn))
}

/// Makes what came the session of the account. What cannot be kept is given back.
async fn keep(opened: &Opened, service: String, pasted: Pasted) -> Result<SessionManager, Failure> {
    let begun = async {
        let turn = opened.turn().await?;
        // Somebody else may have signed in since the first look.
        let service = fitting(opened, service.clone())?;
        Ok((turn, opened.belongs_to(&service)?))
    };
    match begun.await {
        Ok((_turn, manager)) => {
            take(opened, &manager, pasted).await?;
            Ok(manager)
        }
        Err(failure) => Err(gave_back(&service, pasted, failure).await),
    }
}

/// Ends what came and is not kept, so that nothing lives on that nobody holds; says so.
///
/// # Security
/// To the service that it was meant for.
async fn gave_back(service: &str, pasted: Pasted, failure: Failure) -> Failure {
    let token = pasted.refresh_token().clone();
    let revoked = match HandstampBackend::new(service) {
        Ok(backend) => backend.revoke(token.into()).await,
        Err(_) => Err(BackendError::passing()),
    };
    let end = failures::given_back(&revoked);
    Failure::new(format!("{}; {end}", failure.text())).with(failure.exit())
}

/// Makes a session of what was pasted, and has the service confirm it.
async fn take(opened: &Opened, manager: &SessionManager, pasted: Pasted) -> Result<(), Failure> {
    let failed = |error: AuthError| opened.failed(error);
    let token = match pasted {
        Pasted::Answer(answer) => {
            let taken = manager.create_session_from_login_result(*answer, None).await;
            return taken.map_err(failed);
        }
        Pasted::Refresh(token) => token,
    };
    // An access token that was over before it began: the refresh token fetches the first.
    let tokens = AuthTokens::new("").with_refresh_token(token).expiring_at(Time::default());
    manager.create_session(tokens, None, None).await.map_err(failed)?;
    match manager.refresh().await {
        Outcome::Rejected { reason } => Err(failed(AuthError::Ended { reason })),
        Outcome::Blocked { cause, .. } => Err(failures::of_storage(&cause)),
        Outcome::Transient { .. } => {
            let line =
                "the service does not answer; the token is kept, and handstamp status asks again";
            Err(Failure::new(line).with(Exit::Unreachable))
        }
        _ => Ok(()),
    }
}

async fn finish(
    options: &Options,
    opened: &Opened,
    manager: &SessionManager,
    is_sealed: bool,
) -> Result<(), Failure> {
    opened.accounts.switch(&opened.name).await.map_err(|error| opened.failed(error))?;
    notes::forget_end(&opened.path(&opened.name));
    let session = manager.session().await.map_err(|error| opened.failed(error))?;
    let user = session.map(|session| session.user.clone()).unwrap_or_default();
    if !is_sealed {
        say(
            "the session is not sealed: whoever reads its file has it (see login --help, --keyring)",
        );
    }
    let (account, service) = (&opened.name, opened.service()?);
    if options.json {
        return output::json(&json!({
            "account": account.as_str(),
            "service": service,
            "subject": user.subject,
            "name": user.name,
            "sealed": is_sealed,
        }));
    }
    let who = match (user.subject, user.name) {
        (Some(subject), Some(name)) => format!("{subject} ({name})"),
        (subject, name) => subject.or(name).unwrap_or_else(|| "somebody".into()),
    };
    output::line(&format!("signed in as {who}, account {account}"))
}
