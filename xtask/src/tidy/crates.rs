//! Dependencies between our crates point strictly down, dev-dependencies included.

use serde::Deserialize;

use super::Finding;
use crate::shell;

/// How high a crate stands; it may depend only on lower ones.
const LEVELS: &[(&str, u8)] = &[
    ("handstamp-core", 0),
    ("handstamp-protocol", 0),
    ("handstamp-axum", 1),
    ("handstamp-sqlite", 1),
    ("handstamp-postgres", 1),
    ("handstamp-redis", 1),
    ("handstamp-verify", 1),
    ("handstamp-client", 1),
    ("handstamp-server", 2),
    ("handstamp", 3),
    ("handstamp-cli", 3),
];

/// Examples stand where a reader stands: on the door.
const EXAMPLES: u8 = 4;

/// May depend on anything; nothing may depend on it.
const OUTSIDE: &[&str] = &["xtask"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: String,
}

/// One member of the workspace.
#[derive(Deserialize)]
pub(super) struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Where it lies, if it is one of ours.
    path: Option<String>,
}

/// The members of the workspace, as cargo tells them.
///
/// # Errors
/// Cargo does not understand the manifests.
pub(super) fn members() -> Result<Vec<Package>, String> {
    let args = ["metadata", "--no-deps", "--format-version", "1"];
    parse(&shell::read(shell::cargo().args(args))?)
}

fn parse(text: &str) -> Result<Vec<Package>, String> {
    let Metadata { mut packages, workspace_root } =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    for package in &mut packages {
        let path = package.manifest_path.strip_prefix(&workspace_root);
        package.manifest_path = path.unwrap_or_default().trim_start_matches('/').to_owned();
    }
    Ok(packages)
}

pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().filter(|package| !OUTSIDE.contains(&&*package.name)).flat_map(of_one).collect()
}

fn of_one(package: &Package) -> Vec<Finding> {
    let finding = |message| Finding::new(&package.manifest_path, 1, message);
    let is_example = package.manifest_path.starts_with("examples/");
    let Some(level) = level(&package.name).or(is_example.then_some(EXAMPLES)) else {
        return vec![finding(format!("{} has no place in the layers (xtask)", package.name))];
    };
    let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    // A crate depends on itself where its tests turn on its features.
    let others = ours.filter(|dependency| dependency.name != package.name);
    others
        .filter(|below| self::level(&below.name).is_none_or(|below| below >= level))
        .map(|below| finding(format!("{} must not depend on {}", package.name, below.name)))
        .collect()
}

fn level(name: &str) -> Option<u8> {
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, manifest_path: &str, dependencies: &[&str]) -> Package {
        let ours = |name: &&str| Dependency { name: (*name).into(), path: Some("p".into()) };
        Package {
            name: name.into(),
            manifest_path: manifest_path.into(),
            dependencies: dependencies.iter().map(ours).collect(),
        }
    }

    fn told(packages: &[Package]) -> Vec<String> {
        check(packages).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn dependencies_point_strictly_down() {
        let good = package("handstamp-server", "s", &["handstamp-core", "handstamp-server"]);
        let up = package("handstamp-core", "c", &["handstamp-sqlite"]);
        let aside = package("handstamp-axum", "a", &["handstamp-sqlite"]);
        assert_eq!(
            told(&[good, up, aside]),
            [
                "handstamp-core must not depend on handstamp-sqlite",
                "handstamp-axum must not depend on handstamp-sqlite",
            ]
        );
    }

    #[test]
    fn examples_use_the_door_and_nobody_uses_the_automation() {
        let example = package("flash", "examples/flash/Cargo.toml", &["handstamp"]);
        let wrong = package("handstamp-cli", "crates/handstamp-cli/Cargo.toml", &["xtask"]);
        assert_eq!(told(&[example, wrong]), ["handstamp-cli must not depend on xtask"]);
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let told = told(&[package("handstamp-extra", "crates/handstamp-extra/Cargo.toml", &[])]);
        assert_eq!(told, ["handstamp-extra has no place in the layers (xtask)"]);
    }

    #[test]
    fn what_cargo_tells_is_read_and_paths_become_relative() {
        let text = r#"{"workspace_root":"/w","packages":[{"name":"a","manifest_path":"/w/x/Cargo.toml",
            "dependencies":[{"name":"serde","path":null,"kind":"dev"}]}]}"#;
        let packages = parse(text).unwrap();
        assert_eq!(packages[0].manifest_path, "x/Cargo.toml");
        assert!(packages[0].dependencies[0].path.is_none());
    }
}
