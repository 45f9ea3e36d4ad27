//! The reference pages are what the source says.

use super::Finding;
use super::tree::Tree;
use crate::docs::{PAGES, Page};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    PAGES.iter().filter_map(|page| of_page(tree, page)).collect()
}

fn of_page(tree: &Tree, page: &Page) -> Option<Finding> {
    let finding = |message: String| Some(Finding::new(page.path, 1, message));
    match (page.text(tree), tree.text(page.path)) {
        (Err(why), _) => finding(why),
        (Ok(text), Some(there)) if text == there => None,
        (Ok(_), _) => finding("is not what the source says; run `cargo xtask docs`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_was_not_made_anew_is_found() {
        let tree = Tree::of_project().unwrap();
        let page = &PAGES[0];
        let text = page.text(&tree).unwrap();
        let source = "crates/handstamp-core/src/store/mod.rs";
        let mut files: Vec<_> = tree.files().filter(|(path, _)| *path != page.path).collect();
        assert_eq!(of_page(&Tree::of(&files), page).map(|it| it.line), Some(1));
        files.push((page.path, &text));
        assert_eq!(of_page(&Tree::of(&files), page), None);
        let changed = tree.text(source).unwrap().replace("**C01**", "**C01** Changed:");
        files.retain(|(path, _)| *path != source);
        files.push((source, &changed));
        assert!(of_page(&Tree::of(&files), page).is_some());
    }
}
