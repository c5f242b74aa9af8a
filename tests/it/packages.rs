//! The packages and the units: what systemd makes of them, and a Debian that installs, upgrades, removes and purges them.

#![allow(clippy::print_stdout, reason = "a test that is left out says why")]

mod arm;
mod life;
mod machine;
mod parts;
mod units;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path below the checkout.
fn at(path: &str) -> PathBuf {
    checkout().join(path)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What a command printed, which must succeed.
#[track_caller]
fn said(command: &mut Command) -> String {
    let output = run(command);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether only tests without root and packages are wanted; says so.
fn quick(what: &str) -> bool {
    let quick = std::env::var_os("HEARTH_QUICK").is_some_and(|value| value == "1");
    if quick {
        println!("left out under HEARTH_QUICK=1: {what}");
    }
    quick
}
