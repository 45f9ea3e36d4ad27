//! Finding the tests of the project: Rust's by their attribute, conformance clauses by their name,
//! the browser's by their call.

use super::source::{code, function_name, has_word, word};
use super::tree::{Tree, lines};

/// One test.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Test {
    /// The name of its function, or its title in the browser's tests.
    pub(crate) name: String,
    /// Its documentation.
    doc: String,
}

impl Test {
    /// Whether its name begins or its documentation mentions this id of a feature.
    pub(crate) fn shows(&self, id: &str) -> bool {
        let in_name = self.name.to_lowercase();
        let id_in_name = id.to_lowercase();
        in_name.split(|c: char| !c.is_alphanumeric()).any(|part| part == id_in_name)
            || has_word(&self.doc, id)
    }
}

/// All tests of the project but those of the automation, which hold examples of tests.
pub(crate) fn all(tree: &Tree) -> Vec<Test> {
    let rust = tree.ending(".rs").filter(|(path, _)| !path.starts_with("xtask/"));
    let rust = rust.flat_map(|(_, text)| of_rust(text));
    let clauses = tree.files().filter(|(path, _)| is_conformance(path)).flat_map(|(_, text)| {
        clause_functions(text).map(|(_, name)| Test { name: name.into(), doc: String::new() })
    });
    let suites = tree.files().filter(|(path, _)| is_conformance(path));
    let suites = suites.flat_map(|(_, text)| of_suite(text));
    let browser = tree.ending(".test.mjs").flat_map(|(_, text)| of_browser(text));
    rust.chain(clauses).chain(suites).chain(browser).collect()
}

/// Whether a file belongs to the conformance suite.
pub(crate) fn is_conformance(path: &str) -> bool {
    path.starts_with("crates/handstamp-core/src/conformance") && path.ends_with(".rs")
}

/// The letters that clauses are numbered under: C of the store contract, L of the ledger's.
pub(crate) const LETTERS: [char; 2] = ['C', 'L'];

/// The functions of the conformance suite that carry the number of a clause, with their lines.
pub(crate) fn clause_functions(text: &str) -> impl Iterator<Item = (usize, &str)> {
    lines(text).filter_map(|(line, text)| {
        let name = function_name(code(text))?;
        let (clause, _) = name.split_once('_')?;
        let number = clause.strip_prefix(LETTERS.map(|letter| letter.to_ascii_lowercase()))?;
        let is_clause = number.len() == 2 && number.chars().all(|c| c.is_ascii_digit());
        is_clause.then_some((line, name))
    })
}

/// The names, each on a line of its own, of which a macro makes tests: `@tests … {` and on to `}`.
fn of_suite(text: &str) -> Vec<Test> {
    let (mut tests, mut is_list) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if line.contains("@tests") {
            is_list = line.ends_with('{');
        } else if line.starts_with('}') {
            is_list = false;
        } else if is_list && !line.is_empty() && word(line) == line {
            tests.push(Test { name: line.into(), doc: String::new() });
        }
    }
    tests
}

/// Functions under `#[test]`, `#[tokio::test(…)]` and the like.
fn of_rust(text: &str) -> Vec<Test> {
    let mut tests = Vec::new();
    let (mut doc, mut is_test) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            doc.push_str(words);
        } else if line.starts_with("#[") || line.starts_with("//") {
            is_test |= is_test_attribute(line);
        } else {
            if let (true, Some(name)) = (is_test, function_name(code(line))) {
                tests.push(Test { name: name.into(), doc: std::mem::take(&mut doc) });
            }
            (doc, is_test) = (String::new(), false);
        }
    }
    tests
}

fn is_test_attribute(line: &str) -> bool {
    let name = line.trim_start_matches("#[").split(['(', ']']).next().unwrap_or_default();
    name == "test" || name.ends_with("::test")
}

/// Calls of `test("…"` or `it("…"` that begin a line.
fn of_browser(text: &str) -> Vec<Test> {
    let title = |line: &str| {
        let line = line.trim();
        let call = line.strip_prefix("test(").or_else(|| line.strip_prefix("it("))?;
        let quote = call.chars().next().filter(|c| "\"'`".contains(*c))?;
        let title = call[1..].split(quote).next()?;
        Some(Test { name: title.into(), doc: String::new() })
    };
    text.lines().filter_map(title).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tests: &[Test]) -> Vec<&str> {
        tests.iter().map(|test| test.name.as_str()).collect()
    }

    #[test]
    fn rust_tests_are_known_by_their_attribute() {
        let text = "
            fn helper() {}
            /// Shows N02.
            #[test]
            fn data_is_typed() {}
            #[tokio::test(flavor = \"multi_thread\")]
            #[cfg(unix)]
            async fn n05_flash_is_read_once() {}
            fn another_helper() {}
        ";
        let tests = of_rust(text);
        assert_eq!(names(&tests), ["data_is_typed", "n05_flash_is_read_once"]);
        assert!(tests[0].shows("N02") && !tests[0].shows("N05"));
        assert!(tests[1].shows("N05") && !tests[1].shows("N02"));
    }

    #[test]
    fn browser_tests_are_known_by_their_call() {
        let text = "  test(\"N06 signs in\", async () => {\n latest(\"not\")\n it('ends', () => {";
        let tests = of_browser(text);
        assert_eq!(names(&tests), ["N06 signs in", "ends"]);
        assert!(tests[0].shows("N06"));
    }

    #[test]
    fn tests_that_a_macro_makes_are_known_by_its_list() {
        let text = "suite! { @tests $make, play, races {\n  n64_a\n  b\n} }\n\
                    (@tests $name:ident) => {\n  $(fn $name() {})*\n}\nc\n";
        assert_eq!(names(&of_suite(text)), ["n64_a", "b"]);
    }

    #[test]
    fn clause_functions_carry_a_number_of_two_digits() {
        let text =
            "pub fn c01_a() {}\nfn c2_b() {}\nasync fn c37_d() {}\nfn l02_e() {}\nfn count_e() {}";
        let functions: Vec<_> = clause_functions(text).collect();
        assert_eq!(functions, [(1, "c01_a"), (3, "c37_d"), (4, "l02_e")]);
    }
}
