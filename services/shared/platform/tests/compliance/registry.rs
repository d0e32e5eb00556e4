//! Registry, capabilities, suite and documentation name the same platforms, and say the same of each.

use std::collections::BTreeSet;

use muster_domain::{
    inventory::platform::{CAPABILITIES, Capabilities},
    request::{TYPES, type_name},
};
use muster_platform::registry::PLATFORMS;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/adding-a-platform.md"));

/// The cells of the table's row that begins with this word.
fn row(first: &str) -> Vec<&'static str> {
    let start = format!("| {first} |");
    let rows: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with(&start)).collect();
    let with_all: Vec<Vec<&str>> =
        rows.iter().map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
    let columns = Capabilities::NONE.columns().len() + 1;
    let mut fitting: Vec<Vec<&str>> = with_all.into_iter().filter(|cells| cells.len() == columns).collect();
    assert_eq!(fitting.len(), 1, "docs/adding-a-platform.md has {} rows for {first}", fitting.len());
    fitting.remove(0)
}

#[test]
fn every_platform_is_in_the_registry_the_table_the_suite_and_the_documentation() {
    let registry: BTreeSet<&str> = PLATFORMS.iter().map(|platform| platform.name).collect();
    let table: BTreeSet<&str> = CAPABILITIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(registry, table);
    assert_eq!(registry.len(), PLATFORMS.len(), "a platform is there twice");
    let suite: BTreeSet<&str> = crate::SUITE.iter().copied().collect();
    assert_eq!(registry, suite, "a platform that is not in the suite is one that nobody tried");

    let header: Vec<&str> = Capabilities::NONE.columns().iter().map(|(name, _)| *name).collect();
    assert_eq!(row("platform")[1..], header);
    for platform in PLATFORMS {
        let words: Vec<&str> =
            platform.capabilities().columns().iter().map(|(_, can)| if *can { "yes" } else { "no" }).collect();
        assert_eq!(row(platform.name)[1..], words, "{}", platform.name);
    }
}

/// A plan for a type that no platform offers could never be run.
#[test]
fn every_type_of_request_is_offered_by_some_platform() {
    for request in TYPES {
        assert!(PLATFORMS.iter().any(|platform| platform.capabilities().can(request)), "{}", type_name(request));
    }
}
