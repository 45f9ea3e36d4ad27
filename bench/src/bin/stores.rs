//! Sessions in PostgreSQL: Handstamp beside its peers. `cargo xtask bench stores [--quick]`.

fn main() -> std::process::ExitCode {
    handstamp_bench::stores()
}
