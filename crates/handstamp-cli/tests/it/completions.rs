//! `handstamp completions` and `handstamp man`.

use crate::world::World;

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = World::new().run(&["completions", shell]).good();
        assert!(script.contains("retire") && script.contains("data-dir"), "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let world = World::new();
    let page = world.run(&["man"]).good();
    assert!(page.contains(".TH handstamp 1") && page.contains("Exit codes"), "{page}");
    world.run(&["man", "--dir", "pages"]).good();
    for name in ["handstamp", "handstamp-serve", "handstamp-keys-retire"] {
        assert!(world.path(&format!("pages/{name}.1")).exists(), "{name}");
    }
}
