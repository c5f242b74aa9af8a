//! The `hearth` binary.
fn main() -> std::io::Result<()> {
    if std::env::args_os().nth(1).is_some_and(|command| command == "loader") {
        return hearth::site::loader_main();
    }
    Ok(())
}
