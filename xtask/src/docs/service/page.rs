//! `docs/reference/service-settings.md`.

use super::TABLE;
use super::table::Row;
use crate::docs::{columns, head, row};
use crate::tidy::tree::Tree;

const ABOUT: &str = "
`handstamp serve` reads `handstamp.toml` (the one in the current folder, or that of `--config`),
then environment variables, then flags; each overrides what came before. A setting `key` of section
`section` is

- `key = value` below `[section]` in the file,
- `HANDSTAMP_SECTION_KEY` in the environment (lists with commas),
- `--set section.key=value` as a flag; secrets are refused there, because other users can read
  command lines.

`handstamp config` prints what counts, with default, unit and source. A wrong key or value stops the
start and is one line with its place. `none` stands for no value. [handstamp.example.toml](handstamp.example.toml)
has every setting at its default. A default that is *by preset* is that of `sessions.preset =
\"default\"`; the other presets are explained in [settings](settings.md#presets).
";

const ROLES: &str = "
## roles

What holders of a role may do: each key is the name of a role, each value a list of permissions.

```toml
[roles]
editor = [\"posts.read\", \"posts.write\"]
```
";

/// The page.
pub(in crate::docs) fn text(tree: &Tree) -> Result<String, String> {
    let (sections, words) = super::read(tree)?;
    let mut page = head("Settings of the service", TABLE) + ABOUT;
    for section in sections {
        page.push_str(&format!("\n## {}\n\n{}\n", section.name, section.about));
        page.push_str(&columns(&["key", "default", "allowed", "meaning"]));
        for setting in &section.rows {
            let key = format!("`{}`", setting.key);
            page.push_str(&row(&[
                &key,
                &default(setting),
                &words.allowed(setting)?,
                &setting.about,
            ]));
        }
    }
    Ok(page + ROLES)
}

fn default(setting: &Row) -> String {
    let default = if setting.default.is_empty() { "none" } else { &setting.default };
    if setting.is_by_preset { format!("{default}, by preset") } else { default.into() }
}
