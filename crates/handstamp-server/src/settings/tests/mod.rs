//! Every setting, every layer, every refusal.

mod layers;
mod refused;
mod table;

use super::{Document, Inputs, Loaded, load};

fn file(text: &str) -> Inputs {
    Inputs::new().document(Document::of("handstamp.toml", text))
}

fn loaded(text: &str) -> Loaded {
    load(&file(text)).unwrap()
}

/// The only thing that is wrong.
fn wrong(inputs: &Inputs) -> String {
    let error = load(inputs).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{:?}", error.problems());
    let line = error.to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}
