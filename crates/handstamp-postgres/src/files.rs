//! The files that encrypting asks for: looked at before anybody is connected to, since a file that is
//! missing would be told of as a server that does not answer.

use std::path::PathBuf;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::error::PostgresError;

/// How SQLx shows that a value is the path of a file and not what is in it.
const FILE: &str = "file: ";

/// What names a file that is read, where the connection is encrypted: in an address as in the
/// environment.
const fn named(mode: PgSslMode) -> &'static [&'static str] {
    match mode {
        PgSslMode::Disable | PgSslMode::Allow => &[],
        PgSslMode::Prefer | PgSslMode::Require => &["sslcert", "sslkey"],
        PgSslMode::VerifyCa | PgSslMode::VerifyFull => &["sslrootcert", "sslcert", "sslkey"],
    }
}

/// Whether the connection is encrypted whatever the server says: then files are read for sure.
pub(crate) fn are_read(options: &PgConnectOptions) -> bool {
    use PgSslMode::{Require, VerifyCa, VerifyFull};
    matches!(options.get_ssl_mode(), Require | VerifyCa | VerifyFull)
}

/// Refuses files that cannot be read.
///
/// # Errors
/// [`PostgresError::File`], of the first.
pub(crate) fn check(options: &PgConnectOptions) -> Result<(), PostgresError> {
    let names = named(options.get_ssl_mode());
    // Only what is asked for is to be shown, and only what makes an address for sure.
    let shown = options.clone().host("localhost").username("somebody").to_url_lossy();
    let files = shown.query_pairs().filter_map(|(name, value)| {
        let setting = names.iter().find(|it| **it == name)?;
        Some((*setting, PathBuf::from(value.strip_prefix(FILE)?)))
    });
    for (setting, path) in files {
        if let Err(source) = std::fs::read(&path) {
            return Err(PostgresError::File { setting, path, source });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(mode: &str, rest: &str) -> Result<(), PostgresError> {
        let options = format!("postgres://a%2Fb:c%40d@[::1]/shop?sslmode={mode}&{rest}");
        check(&options.parse().unwrap())
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("a b&c.pem");
        std::fs::write(&there, "").unwrap();
        let there = there.display().to_string().replace('&', "%26").replace(' ', "%20");
        for setting in named(PgSslMode::VerifyFull) {
            checked("verify-full", &format!("{setting}={there}")).unwrap();
            let error = checked("verify-full", &format!("{setting}=/nowhere.pem")).unwrap_err();
            let told = format!("{setting} names /nowhere.pem, which cannot be read");
            assert_eq!(error.to_string(), told);
        }
        checked("verify-full", "").unwrap();
    }

    #[test]
    fn a_file_that_is_not_read_may_be_missing() {
        checked("prefer", "sslrootcert=/nowhere.pem").unwrap();
        checked("require", "sslrootcert=/nowhere.pem").unwrap();
        checked("disable", "sslcert=/nowhere.pem&sslkey=/nowhere.pem").unwrap();
        assert!(checked("prefer", "sslkey=/nowhere.pem").is_err());
    }

    #[test]
    fn files_are_read_for_sure_where_nothing_goes_unencrypted() {
        let is_read = |mode: &str| {
            are_read(&format!("postgres://localhost/shop?sslmode={mode}").parse().unwrap())
        };
        assert!(["require", "verify-ca", "verify-full"].into_iter().all(is_read));
        assert!(!["disable", "allow", "prefer"].into_iter().any(is_read));
    }
}
