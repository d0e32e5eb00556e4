//! Programs are found, or their absence is explained.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::process::Command;

use muster_local::tools;

/// `scripts/setup` installs where this crate looks: two programs, one rule.
#[test]
fn setup_and_this_crate_agree_on_the_place() {
    let root = tools::project_root().unwrap();
    let output = Command::new(root.join("scripts/setup")).arg("--where").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), tools::state_base(&root).unwrap().to_str().unwrap());
}

#[test]
fn both_servers_programs_are_found() {
    assert!(tools::nats_server().unwrap().is_file());
    assert!(tools::postgres_bin_dir().unwrap().join("initdb").is_file());
}
