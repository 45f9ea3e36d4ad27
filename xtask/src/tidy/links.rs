//! Relative links in the documents lead to files that are there.

use super::Finding;
use super::tree::{Tree, lines};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending(".md").flat_map(|(path, text)| of_file(tree, path, text)).collect()
}

fn of_file(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let broken = |target: &&str| !resolve(folder, target).is_some_and(|path| exists(tree, &path));
    links(text)
        .filter(|(_, target)| is_relative(target))
        .map(|(line, target)| (line, target.split(['#', '?']).next().unwrap_or(target)))
        .filter(|(_, target)| broken(target))
        .map(|(line, target)| Finding::new(path, line, format!("a link to nothing: {target}")))
        .collect()
}

/// The targets of `[text](target)` and `![text](target)` outside of code.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    lines(text).flat_map(move |(line, text)| {
        let is_fence = text.trim_start().starts_with("```");
        is_code ^= is_fence;
        let text = if is_code || is_fence { "" } else { text };
        let prose = text.split('`').step_by(2);
        prose.flat_map(targets).map(move |target| (line, target))
    })
}

fn targets(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
        target.split_whitespace().next()
    })
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with('#')
}

/// The path from the root; `None` if it leads out of the project.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// A file, or a folder that holds one. Pictures are not texts, so the disk is asked too.
fn exists(tree: &Tree, path: &str) -> bool {
    tree.text(path).is_some()
        || tree.below(&format!("{path}/")).next().is_some()
        || crate::shell::root().join(path).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text = "[a](b.md#part) [x](../README.md) [y](gone.md)\n\
                    ```\n[code](no.md)\n```\n`[code](no.md)` [web](https://example.org/x) [h](#h)\n\
                    [out](../../../etc) ![picture](no.png \"title\") [folder](sub/)\n";
        let tree = Tree::of(&[
            ("docs/a.md", text),
            ("docs/b.md", ""),
            ("README.md", ""),
            ("docs/sub/c.md", ""),
        ]);
        let found: Vec<_> =
            check(&tree).into_iter().map(|finding| (finding.line, finding.message)).collect();
        assert_eq!(
            found,
            [
                (1, "a link to nothing: gone.md".to_owned()),
                (6, "a link to nothing: ../../../etc".to_owned()),
                (6, "a link to nothing: no.png".to_owned()),
            ]
        );
    }
}
