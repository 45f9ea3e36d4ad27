//! What the program says when it cannot do what was asked: a line for each thing that is wrong, and
//! an exit code.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// What the exit code tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// It could not be done, or could not go on.
    Failed = 1,
    /// The command line or the settings cannot be understood.
    Usage = 2,
    /// What was named is not there.
    #[cfg_attr(
        not(any(feature = "holder", feature = "serve")),
        expect(dead_code, reason = "for commands of the service")
    )]
    NotFound = 3,
    /// It is not allowed, or would not be safe.
    #[cfg_attr(
        not(any(feature = "holder", feature = "serve")),
        expect(dead_code, reason = "for commands of the service")
    )]
    Refused = 4,
    /// The service does not answer.
    #[cfg_attr(
        not(any(feature = "holder", feature = "serve")),
        expect(dead_code, reason = "for commands of the service")
    )]
    Unreachable = 5,
    /// Nobody is signed in.
    #[cfg(feature = "holder")]
    SignIn = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A line for each thing that is wrong, which says what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    lines: Vec<String>,
    exit: Exit,
}

impl Failure {
    /// Fails with this line.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], exit: Exit::Failed }
    }

    /// Fails with this line and what `error` and its causes say.
    pub(crate) fn because(line: impl fmt::Display, error: &dyn Error) -> Self {
        Self::new(format!("{line}: {}", chain(error)))
    }

    /// Fails with these lines.
    #[cfg(feature = "serve")]
    pub(crate) fn lines(lines: impl IntoIterator<Item: fmt::Display>) -> Self {
        Self { lines: lines.into_iter().map(|line| line.to_string()).collect(), exit: Exit::Failed }
    }

    /// All that it says, in one line.
    #[cfg(any(feature = "demo", feature = "holder", feature = "serve"))]
    pub(crate) fn text(&self) -> String {
        self.lines.join("; ")
    }

    /// What its exit code is.
    #[cfg(any(feature = "holder", all(test, feature = "serve")))]
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// Ends with another exit code than 1.
    #[must_use]
    pub(crate) fn with(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Writes the lines to stderr; answers the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        self.lines.iter().for_each(|line| say(line));
        self.exit.into()
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
        let failure = Failure::because("it broke", &cause);
        assert_eq!(failure.lines, ["it broke: first second"]);
        assert_eq!(failure.exit as u8, 1);
        assert_eq!(failure.with(Exit::Usage).exit as u8, 2);
    }
}
