//! What the program says when it cannot do what was asked: one line, and an exit code.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// One line that says what is wrong and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// Exit code of a program that could not do what was asked.
    pub(crate) const CODE: u8 = 1;
    /// Exit code for a command line that cannot be understood.
    pub(crate) const USAGE_CODE: u8 = 2;

    /// Fails with this line.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }

    /// Fails with this line and what `error` and its causes say.
    pub(crate) fn because(line: impl fmt::Display, error: &dyn Error) -> Self {
        Self(format!("{line}: {}", chain(error)))
    }

    /// Writes the line to stderr; answers the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        say(&self.0);
        ExitCode::from(Self::CODE)
    }
}

/// The words of `error` and of what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.join(": ").replace('\n', " ")
}

/// Writes one line to stderr. A closed stderr is nobody's concern.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "handstamp: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_its_causes() {
        let cause = std::io::Error::other("first\nsecond");
        assert_eq!(Failure::because("it broke", &cause).0, "it broke: first second");
    }
}
