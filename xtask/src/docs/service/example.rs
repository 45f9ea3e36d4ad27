//! `docs/reference/handstamp.example.toml`.

use super::TABLE;
use super::words::literal;
use crate::tidy::tree::Tree;

const ROLES: &str = "
# What holders of a role may do: each key is the name of a role, each value a list of permissions.
[roles]
#editor = [\"posts.read\", \"posts.write\"]
";

/// The widest line of a comment.
const WIDTH: usize = 100;

/// The file.
pub(in crate::docs) fn text(tree: &Tree) -> Result<String, String> {
    let (sections, words) = super::read(tree)?;
    let mut file =
        String::from("# handstamp.toml: every setting of `handstamp serve` at its default.\n");
    file.push_str("# To set one, remove the `#` before its line and change the value.\n");
    file.push_str(&format!("# Generated from `{TABLE}` by `cargo xtask docs`.\n"));
    for section in sections {
        file.push_str(&format!("\n{}[{}]\n", comment(&section.about), section.name));
        for (index, row) in section.rows.iter().enumerate() {
            let allowed = format!("Allowed: {}.", words.allowed(row)?.replace('`', "\""));
            let gap = if index == 0 { "" } else { "\n" };
            let about = comment(&row.about.replace('`', "")) + &comment(&allowed);
            file.push_str(&format!("{gap}{about}#{} = {}\n", row.key, literal(row)));
        }
    }
    Ok(file + ROLES)
}

/// A text as lines of comment.
fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split(' ') {
        if lines.last().is_some_and(|line| line.len() + 1 + word.len() > WIDTH) {
            lines.push("#".into());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}
