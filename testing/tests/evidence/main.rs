//! The checks that exported documents have to pass are themselves checked: they accept the examples and refuse each of the
//! broken documents. The exports of real runs are in the end-to-end tests (main_job/evidence.rs).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What the validator's self-test must at least have run: fewer would mean that documents were dropped from it.
const BROKEN_DOCUMENTS: usize = 35;

fn oscal() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("oscal")
}

/// The Python that has compliance-trestle and jsonschema, or one without, said aloud.
fn python() -> Command {
    let root = muster_local::tools::project_root().expect("the project");
    let base = muster_local::tools::state_base(&root).expect("a place for tools");
    let with_engines = base.join("tools/bin/compliance-python");
    if with_engines.is_file() {
        return Command::new(with_engines);
    }
    let why = std::fs::read_to_string(base.join("tools/missing/trestle"));
    println!(
        "skipped: compliance-trestle and jsonschema: {}",
        why.unwrap_or_else(|_| "run scripts/setup trestle".into())
    );
    Command::new("python3")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_broken_documents_stay_refused() {
    let output = python().arg("-B").arg("test_validate.py").current_dir(oscal()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let source = std::fs::read_to_string(oscal().join("test_validate.py")).unwrap();
    let (_, broken) = source.split_once("BROKEN = [").unwrap();
    let (broken, _) = broken.split_once("\n]").unwrap();
    let count = broken.lines().filter(|line| line.starts_with("    (\"")).count();
    assert!(count >= BROKEN_DOCUMENTS, "{count} broken documents");
}

#[test]
fn the_schemas_are_the_published_ones() {
    let schemas = oscal().join("schemas/1.2.1");
    let output =
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(schemas).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn an_example_with_one_wrong_word_is_refused() {
    let copy = tempfile::tempdir().unwrap();
    let example = std::fs::read_to_string(oscal().join("examples/component-definition.json")).unwrap();
    let validate = |name: &str, content: &str| {
        let path = copy.path().join(name);
        std::fs::write(&path, content).unwrap();
        python().arg("-B").arg(oscal().join("validate.py")).arg(&path).output().unwrap()
    };
    let good = validate("good.json", &example);
    assert!(good.status.success(), "{}", text(&good));
    let bad = validate("bad.json", &example.replacen("au-9.3_smt", "au-9.3_nothing", 1));
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad));
    assert!(text(&bad).contains("does not exist in the catalog"), "{}", text(&bad));
}
