//! docs/plans.md is part of the product: every code with its severity and what to do, every number.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use crate::pb::plan::v1::LintSeverity;
use crate::plan::{Code, MAX_PHASES, MAX_STEPS};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/plans.md"));

fn rows() -> Vec<Vec<&'static str>> {
    let codes = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
    codes.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_code_has_one_row_with_its_severity_and_what_to_do() {
    for code in Code::ALL {
        let name = format!("`{}`", code.name());
        let found: Vec<_> = rows().into_iter().filter(|cells| cells[0] == name).collect();
        assert_eq!(found.len(), 1, "{name} has {} rows", found.len());
        let word = match code.severity() {
            LintSeverity::Error => "error",
            LintSeverity::Warning => "warning",
            LintSeverity::Info => "info",
            LintSeverity::Unspecified => unreachable!("each code has a severity"),
        };
        assert!(found[0][1].starts_with(word), "{name} is {word}");
        assert!(found[0].len() == 4 && found[0].iter().all(|cell| !cell.is_empty()), "{name}");
    }
}

#[test]
fn no_row_is_left_over() {
    for cells in rows() {
        let name = cells[0].trim_matches('`');
        assert!(Code::by_name(name).is_some(), "{name} is in the document only");
    }
}

#[test]
fn names_are_told_apart() {
    let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
    assert_eq!(Code::by_name(Code::ALL.first().unwrap().name()), Some(Code::EmptyPlan));
}

#[test]
fn the_limits_are_the_ones_the_rules_use() {
    assert!(DOCUMENT.contains(&format!("{MAX_PHASES} phases and {MAX_STEPS} steps")));
}
