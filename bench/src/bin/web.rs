//! Sessions on the web: Handstamp beside its peers. `cargo xtask bench web [--quick]`.

fn main() -> std::process::ExitCode {
    handstamp_bench::run(None)
}
