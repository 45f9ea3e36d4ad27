//! `handstamp token`.

use zeroize::Zeroizing;

use super::Flags;
use crate::failure::Failure;
use crate::output;

/// Whose token.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    flags: Flags,
}

/// Prints an access token that is good now.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options.flags.with(async |opened| {
        let manager = opened.renewed().await?;
        let token = manager.token().await.map_err(|error| opened.failed(error))?;
        // Whoever asks for a token is about to use the session.
        manager.mark_api_call(None).await.map_err(|error| opened.failed(error))?;
        output::print(Zeroizing::new(format!("{}\n", token.expose())).as_bytes())
    })
}
