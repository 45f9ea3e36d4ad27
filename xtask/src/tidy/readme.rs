//! The program in README is the first example, which is built and tried.

use super::Finding;
use super::tree::{Tree, lines};

const README: &str = "README.md";
const EXAMPLE: &str = "examples/hello/src/main.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some((line, shown)) = tree.text(README).and_then(first_program) else {
        return vec![Finding::new(README, 1, "shows no program in Rust")];
    };
    let Some(text) = tree.text(EXAMPLE) else {
        return vec![Finding::new(EXAMPLE, 1, "is not there")];
    };
    let built = program(text);
    let is_same = |(shown, built): &(&str, &str)| shown == built;
    let same = shown.iter().copied().zip(built.iter().copied()).take_while(is_same).count();
    if same == shown.len() && same == built.len() {
        return Vec::new();
    }
    let message = format!("the program differs from {EXAMPLE} from this line on");
    vec![Finding::new(README, line + same, message)]
}

/// The first block of Rust, with the number of its first line.
fn first_program(text: &str) -> Option<(usize, Vec<&str>)> {
    let mut rest = lines(text).skip_while(|(_, text)| !text.starts_with("```rust"));
    let (fence, _) = rest.next()?;
    let block = rest.map(|(_, text)| text).take_while(|text| *text != "```").collect();
    Some((fence + 1, block))
}

/// An example without what it says about itself and without its tests.
fn program(text: &str) -> Vec<&str> {
    let code = text.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
    let mut code: Vec<_> = code.take_while(|line| *line != "#[cfg(test)]").collect();
    while code.last().is_some_and(|line| line.is_empty()) {
        code.pop();
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "//! Says hello.\n\nuse a;\n\nfn main() {}\n\n#[cfg(test)]\nmod tests {}\n";

    fn findings(readme: &str) -> Vec<usize> {
        let tree = Tree::of(&[(README, readme), (EXAMPLE, CODE)]);
        check(&tree).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_program_is_the_example_without_comment_and_tests() {
        assert!(
            findings("# A\n\n```sh\nls\n```\n```rust,no_run\nuse a;\n\nfn main() {}\n```\n")
                .is_empty()
        );
    }

    #[test]
    fn the_first_line_that_differs_is_told() {
        assert_eq!(findings("```rust\nuse a;\n\nfn other() {}\n```\n"), [4]);
        assert_eq!(findings("```rust\nuse a;\n```\n"), [3]);
        assert_eq!(findings("nothing\n"), [1]);
    }
}
