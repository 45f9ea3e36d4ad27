//! Every Rust file below a `src/` is part of a program or library: some `mod` names it.

use super::Finding;
use super::source::{code, module_name};
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending(".rs")
        .filter(|(path, _)| !is_root(path) && is_below_src(path))
        .filter(|(path, _)| !is_named(tree, path))
        .map(|(path, _)| Finding::new(path, 1, "no `mod` names this file"))
        .collect()
}

fn is_below_src(path: &str) -> bool {
    path.starts_with("src/") || path.contains("/src/")
}

/// Whether a file is where cargo begins: `lib.rs`, `main.rs`, `bin/…`.
fn is_root(path: &str) -> bool {
    ["src/lib.rs", "src/main.rs"].iter().any(|end| path.ends_with(end)) || path.contains("src/bin/")
}

fn is_named(tree: &Tree, path: &str) -> bool {
    let module = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs"));
    let Some((folder, name)) = module.and_then(|module| module.rsplit_once('/')) else {
        return false;
    };
    let parents = [
        format!("{folder}/lib.rs"),
        format!("{folder}/main.rs"),
        format!("{folder}/mod.rs"),
        format!("{folder}.rs"),
    ];
    let texts = parents.iter().filter_map(|parent| tree.text(parent));
    texts.flat_map(str::lines).any(|line| module_name(code(line)) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_mod_names_is_found() {
        let findings = check(&Tree::of(&[
            ("crates/a/src/lib.rs", "pub mod one;\nmod two;\n"),
            ("crates/a/src/one.rs", "mod inner;\n"),
            ("crates/a/src/one/inner.rs", ""),
            ("crates/a/src/two/mod.rs", "// mod gone;\n"),
            ("crates/a/src/two/gone.rs", ""),
            ("crates/a/src/three.rs", ""),
            ("crates/a/src/bin/tool.rs", ""),
            ("crates/a/tests/all.rs", ""),
        ]));
        let paths: Vec<_> = findings.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["crates/a/src/three.rs", "crates/a/src/two/gone.rs"]);
    }
}
