//! `cargo xtask rusqlite`: handstamp-sqlite and SQLx in one program, at both ends of the versions
//! that we promise. `libsqlite3-sys` links once per program, so this fails to build as soon as the
//! ranges no longer meet.

use std::fs;
use std::path::Path;

use crate::tally::Tally;
use crate::{Answer, shell};

/// The versions of SQLx that an application may use beside us.
const SQLX: &[&str] = &["0.8", "0.9"];

/// A program that writes with both and reads back with both.
const MAIN: &str = include_str!("beside/main.rs.txt");

/// Builds and runs a scratch program for each version; they share a target folder.
pub(crate) fn run() -> Answer {
    if !shell::root().join("crates/handstamp-sqlite").is_dir() {
        return Err("crates/handstamp-sqlite is not there".into());
    }
    SQLX.iter().try_fold(Tally::default(), |all, version| Ok(all + of_version(version)?))
}

fn of_version(version: &str) -> Answer {
    let folder = shell::target().join("beside").join(format!("sqlx-{version}"));
    let unable = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder.join("src")).map_err(unable)?;
    fs::write(folder.join("Cargo.toml"), manifest(version, shell::root())).map_err(unable)?;
    fs::write(folder.join("src/main.rs"), MAIN).map_err(unable)?;
    let target = shell::target().join("beside/target");
    eprintln!("SQLx {version}");
    shell::run(
        shell::cargo()
            .args(["run", "--quiet"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", target),
    )?;
    Ok(Tally::PASSED)
}

fn manifest(version: &str, root: &Path) -> String {
    let root = root.display();
    format!(
        r#"[package]
name = "beside-sqlx"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
handstamp-core = {{ path = "{root}/crates/handstamp-core" }}
handstamp-sqlite = {{ path = "{root}/crates/handstamp-sqlite" }}
sqlx = {{ version = "{version}", default-features = false, features = ["sqlite", "runtime-tokio"] }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scratch_program_stands_alone_and_names_its_sqlx() {
        let manifest = manifest("0.9", Path::new("/r"));
        assert!(manifest.contains("\n[workspace]\n"));
        assert!(manifest.contains(r#"path = "/r/crates/handstamp-sqlite""#));
        assert!(manifest.contains(r#"sqlx = { version = "0.9""#));
    }
}
