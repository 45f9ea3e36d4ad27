//! The session service over HTTP, beside its peers. `cargo xtask bench service [--quick]`.

fn main() -> std::process::ExitCode {
    handstamp_bench::service()
}
