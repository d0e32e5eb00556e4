//! The rules hold in this workspace, and each would notice when it did not.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use muster_checks::{arrows, purity};
use serde_json::{Value, json};

fn metadata() -> Value {
    let output = Command::new(env!("CARGO")).args(["metadata", "--no-deps", "--format-version", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect()
}

#[test]
fn arrows_point_down() {
    let found = arrows::violations(&metadata());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_domain_is_pure() {
    let mut found = purity::impure_dependencies(&metadata());
    let files = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services/shared/domain/src"));
    assert!(files.len() > 5, "the domain's sources were not found");
    for file in files {
        found.extend(purity::impure_names(&file.display().to_string(), &fs::read_to_string(&file).unwrap()));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A workspace with one crate that has one dependency.
fn workspace(name: &str, folder: &str, dependency: &str, kind: Option<&str>) -> Value {
    json!({ "workspace_root": "/w", "packages": [{
        "name": name,
        "manifest_path": format!("/w/{folder}/Cargo.toml"),
        "dependencies": [{ "name": dependency, "kind": kind }],
    }]})
}

#[test]
fn a_wrong_arrow_is_found() {
    for (name, folder, dependency, kind) in [
        ("muster-monitor", "services/monitor", "muster-executor", None),
        ("muster-monitor", "services/monitor", "muster-executor", Some("dev")),
        ("muster-domain", "services/shared/domain", "muster-eventlog", None),
        ("muster-monitor", "services/monitor", "muster-local", None),
        ("muster-new", "services/shared/new", "muster-proto", None),
    ] {
        assert!(
            matches!(arrows::violations(&workspace(name, folder, dependency, kind)).as_slice(), [text] if text.starts_with(name)),
            "{name} -> {dependency}"
        );
    }
    assert!(
        arrows::violations(&workspace("muster-monitor", "services/monitor", "muster-local", Some("dev"))).is_empty()
    );
    assert!(arrows::violations(&workspace("muster", "services/muster", "muster-monitor", None)).is_empty());
}

#[test]
fn impurity_is_found_outside_comments_and_tests() {
    assert_eq!(purity::impure_dependencies(&workspace("muster-domain", "d", "tokio", None)).len(), 1);
    assert!(purity::impure_dependencies(&workspace("muster-domain", "d", "insta", Some("dev"))).is_empty());
    assert_eq!(purity::impure_names("a.rs", "fn a() {\n    let t = Timestamp::now();\n}").len(), 1);
    assert_eq!(purity::impure_names("a.rs", "use pb::audit::v1::audit_service_client::AuditServiceClient;").len(), 1);
    assert!(
        purity::impure_names("a.rs", "// not Timestamp::now()\n#[cfg(test)]\nmod t { fn a() { Timestamp::now(); } }")
            .is_empty()
    );
}

/// What ships is held to clippy.toml by a line of its own, as a test may do what it forbids.
#[test]
fn what_ships_asks_for_no_clock_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let is_root = |path: &PathBuf| path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    let roots: Vec<PathBuf> = rust_files(&root.join("services")).into_iter().filter(is_root).collect();
    assert!(roots.len() > 15, "{} crates were found", roots.len());
    for path in roots {
        let text = fs::read_to_string(&path).unwrap();
        let line = "#![cfg_attr(not(test), warn(clippy::disallowed_methods))]";
        assert!(text.contains(line), "{} lacks {line}", path.display());
    }
}
