//! `handstamp config`.

use handstamp_server::settings::{Effective, Loaded};
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::output::{self, Table};
use crate::settings::{self, Listen, Source};

/// Which settings, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    #[command(flatten)]
    listen: Listen,

    /// Only settings that somebody set
    #[arg(long)]
    changed: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Only this setting, or those of this section
    #[arg(value_name = "SECTION[.KEY]")]
    name: Option<String>,
}

/// Prints the settings that count. Secrets are masked.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let loaded = options.source.load(&options.listen)?;
    let asked = asked(&loaded, options);
    if let (true, Some(name)) = (asked.is_empty() && !options.changed, &options.name) {
        let line = format!("there is no setting or section {name:?}; handstamp config lists all");
        return Err(Failure::new(line).with(Exit::NotFound));
    }
    if options.json {
        return output::json(&json!({
            "settings": asked.into_iter().map(as_json).collect::<Vec<_>>(),
            "warnings": loaded.warnings,
        }));
    }
    table(&asked).print()?;
    settings::warn(&loaded);
    Ok(())
}

fn asked<'a>(loaded: &'a Loaded, options: &Options) -> Vec<&'a Effective> {
    let is_asked = |name: &str| {
        let section = name.split('.').next();
        options.name.as_deref().is_none_or(|asked| asked == name || Some(asked) == section)
    };
    let all = loaded.effective.iter().filter(|setting| is_asked(&setting.name));
    all.filter(|setting| !options.changed || setting.is_set()).collect()
}

fn table(settings: &[&Effective]) -> Table<5> {
    let mut table = Table::new(["setting", "value", "unit", "default", "source"]);
    for setting in settings {
        table.row([
            setting.name.clone(),
            setting.value_text(),
            setting.unit.unwrap_or_default().into(),
            setting.default_text(),
            setting.source.to_string(),
        ]);
    }
    table
}

fn as_json(setting: &Effective) -> serde_json::Value {
    json!({
        "name": setting.name,
        "value": setting.value,
        "default": setting.default,
        "unit": setting.unit,
        "source": setting.source.to_string(),
        "about": setting.about,
    })
}
