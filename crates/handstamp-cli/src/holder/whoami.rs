//! `handstamp whoami`.

use serde_json::json;

use super::Flags;
use crate::failure::Failure;
use crate::output;

/// Who, and how to say it.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Prints whose session is kept here, as the service last said.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        let (_, session) = opened.signed_in().await?;
        let user = &session.user;
        if options.json {
            return output::json(&json!({
                "account": opened.name.as_str(),
                "service": opened.service()?,
                "kind": if session.is_guest { "guest" } else { "user" },
                "subject": user.subject,
                "name": user.name,
                "email": user.email,
                "phone": user.phone,
                "roles": user.roles,
                "session_id": session.id,
            }));
        }
        let unknown = || Failure::new("the service has not said whose session it is");
        output::line(user.subject.as_deref().ok_or_else(unknown)?)
    })
}
