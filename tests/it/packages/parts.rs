//! What the program is made of: the list of parts, the licences, what must not be among them, and the glibc it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{at, quick, said};

/// The glibc of Debian 12 and of Raspberry Pi OS 12.
const GLIBC: (u32, u32) = (2, 36);

/// The packages that `packages/build` made, if it was run here.
fn programs() -> Vec<PathBuf> {
    ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"]
        .iter()
        .map(|target| at("target").join(target).join("dist/hearth"))
        .filter(|program| program.exists())
        .collect()
}

/// Whether one may take a part under a licence expression (SPDX, annex D) with these licences alone.
fn may_take(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.trim();
    let parts = |operator| outside_brackets(expression, operator);
    match (parts(" OR "), parts(" AND ")) {
        (any, _) if any.len() > 1 => any.iter().any(|part| may_take(part, allowed)),
        (_, all) if all.len() > 1 => all.iter().all(|part| may_take(part, allowed)),
        _ => match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(inner) => may_take(inner, allowed),
            None => allowed.contains(&expression),
        },
    }
}

fn outside_brackets<'e>(expression: &'e str, operator: &str) -> Vec<&'e str> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[at..].starts_with(operator) => {
                parts.push(&expression[begin..at]);
                begin = at + operator.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[begin..]);
    parts
}

/// The newest symbols of glibc that a program names.
fn glibc(program: &Path) -> (u32, u32) {
    let table = said(Command::new("readelf").arg("--version-info").arg(program));
    let versions = table.split("GLIBC_").skip(1).filter_map(|rest| {
        let text: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    });
    versions.max().expect("a program that names no symbol of glibc")
}

#[test]
fn the_program_runs_with_the_glibc_of_debian_12() {
    if quick("a test with readelf") {
        return;
    }
    let mut programs = programs();
    programs.push(PathBuf::from(env!("CARGO_BIN_EXE_hearth")));
    for program in programs {
        let needed = glibc(&program);
        assert!(needed <= GLIBC, "{} needs glibc {needed:?}", program.display());
    }
}

#[test]
fn what_was_left_out_on_purpose_has_not_come_in() {
    let lock = fs::read_to_string(at("Cargo.lock")).unwrap();
    let rules = fs::read_to_string(at("deny.toml")).unwrap();
    let banned: Vec<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next())
        .collect();
    assert!(banned.contains(&"openssl-sys") && banned.contains(&"aws-lc-sys"), "{banned:?}");
    for banned in banned {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "Cargo.lock has {banned}");
    }
    assert!(lock.contains("name = \"ring\"\n"));
}

#[test]
fn every_part_is_listed_with_its_licence_and_its_digest() {
    if quick("a test with python3") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let target = "aarch64-unknown-linux-gnu";
    said(Command::new(at("packages/parts")).arg(target).arg(directory.path()).current_dir(at("")));
    let bill: Value =
        serde_json::from_slice(&fs::read(directory.path().join("hearth.cdx.json")).unwrap()).unwrap();
    assert_eq!(bill["metadata"]["component"]["name"], "hearth");
    let parts = bill["components"].as_array().unwrap();
    assert!(parts.len() > 100, "{}", parts.len());
    for part in parts {
        assert!(part["hashes"][0]["content"].is_string(), "{part}");
        assert!(part["licenses"][0]["expression"].is_string(), "{part}");
    }
    let rules = fs::read_to_string(at("deny.toml")).unwrap();
    let allowed: toml::Table = toml::from_str(&rules).unwrap();
    let allowed: Vec<_> =
        allowed["licenses"]["allow"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for part in parts {
        let licence = part["licenses"][0]["expression"].as_str().unwrap();
        assert!(may_take(licence, &allowed), "{}: {licence} is not allowed in deny.toml", part["name"]);
    }
    let named = |name: &str| parts.iter().any(|part| part["name"] == name);
    assert!(named("rppal") && named("tokio"));
    assert!(!named("proptest") && !named("serde_derive"), "not in the program");
    let changelog = fs::read_to_string(directory.path().join("changelog")).unwrap();
    let version = concat!("hearth (", env!("CARGO_PKG_VERSION"), "-1) stable;");
    assert!(changelog.starts_with(version) && changelog.ends_with(" +0000\n"), "{changelog}");
}

#[test]
fn a_licence_expression_is_taken_by_what_it_offers() {
    let table = [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("MIT AND (GPL-3.0 OR LGPL-3.0)", false),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("Apache-2.0 WITH LLVM-exception", false),
    ];
    for (expression, taken) in table {
        assert_eq!(may_take(expression, &["MIT", "ISC", "Apache-2.0"]), taken, "{expression}");
    }
}
