//! `cargo xtask tidy`: the rules of the house that a compiler does not know.
//!
//! Each check is a function from the files of the project to findings, in a file of its own.

mod attacks;
mod clauses;
mod crates;
mod dead;
mod features;
mod lengths;
mod links;
mod modules;
mod pages;
mod readme;
pub(crate) mod roster;
pub(crate) mod source;
pub(crate) mod tree;
mod words;

use std::fmt;

use crate::Answer;
use crate::tally::Tally;
use tree::Tree;

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Carries out all checks and prints each finding on a line of its own.
///
/// # Errors
/// There are findings, or the project could not be read.
pub(crate) fn run() -> Answer {
    let tree = Tree::of_project()?;
    let mut findings = crates::check(&crates::members()?);
    let checks: [fn(&Tree) -> Vec<Finding>; 10] = [
        attacks::check,
        clauses::check,
        dead::check,
        features::check,
        lengths::check,
        links::check,
        modules::check,
        pages::check,
        readme::check,
        words::check,
    ];
    findings.extend(checks.iter().flat_map(|check| check(&tree)));
    findings.sort();
    findings.iter().for_each(|finding| println!("{finding}"));
    eprintln!("Features that no test shows: {}", features::unshown(&tree).join(" "));
    if findings.is_empty() {
        Ok(Tally::default())
    } else {
        Err(format!("{} findings", findings.len()))
    }
}
