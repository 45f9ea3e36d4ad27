//! `cargo xtask bench`: the measurements of `bench/`, a workspace of its own so that the peers it
//! measures stay out of ours.

use crate::tally::Tally;
use crate::{Answer, prepare, shell};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which measurement, a binary of `bench/`: `web`, `service`, `stores` or `client`
    which: String,
    /// Given to the measurement
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// What sends the load of `service`, and Debian's package.
const LOAD: [(&str, &str); 1] = [("wrk", "wrk")];

/// What its peers run on, with their databases. PostgreSQL is used where it is, and not installed.
const PEERS: [(&str, &str); 4] = [
    ("node", "nodejs"),
    ("npm", "npm"),
    ("redis-server", "redis-server"),
    ("python3", "python3-venv"),
];

/// What `stores` needs besides.
const STORES: [(&str, &str); 3] =
    [("node", "nodejs"), ("npm", "npm"), ("pg_ctlcluster", "postgresql")];

pub(crate) fn run(options: &Options) -> Answer {
    match &*options.which {
        "service" => prepare::programs(&needs(&options.args))?,
        "stores" => prepare::programs(&[LOAD.as_slice(), &STORES].concat())?,
        _ => {}
    }
    shell::run(
        shell::cargo()
            .args(["run", "--release", "--manifest-path", "bench/Cargo.toml"])
            .args(["--package", package(&options.which), "--bin", &options.which, "--"])
            .args(&options.args),
    )?;
    Ok(Tally::default())
}

/// Whose binary a measurement is: the client's has peers of its own.
fn package(which: &str) -> &'static str {
    if which == "client" { "handstamp-bench-client" } else { "handstamp-bench" }
}

/// The programs that `service` needs when it is started so.
fn needs(args: &[String]) -> Vec<(&'static str, &'static str)> {
    let args: Vec<_> = args.iter().flat_map(|arg| arg.split('=')).collect();
    let is_alone = args.windows(2).any(|pair| pair == ["--peers", "none"]);
    let is_help = args.iter().any(|arg| matches!(*arg, "--help" | "-h"));
    match (is_help, is_alone) {
        (true, _) => Vec::new(),
        (false, true) => LOAD.to_vec(),
        (false, false) => LOAD.into_iter().chain(PEERS).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(line: &str) -> usize {
        super::needs(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).len()
    }

    #[test]
    fn without_peers_only_the_load_needs_a_program() {
        assert_eq!(needs("--quick --peers none"), LOAD.len());
        assert_eq!(needs("--peers=none"), LOAD.len());
        assert_eq!(needs("--peers django"), LOAD.len() + PEERS.len());
        assert_eq!(needs("--help"), 0);
    }
}
