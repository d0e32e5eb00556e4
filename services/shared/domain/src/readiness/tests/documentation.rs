//! docs/readiness-rules.md is part of the product: every code, its status, every default number.

use crate::pb::common::v1::Tier;
use crate::readiness::code::Code;
use crate::readiness::rules::status_word;
use crate::readiness::thresholds::Limits;
use crate::time::humane;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/readiness-rules.md"));

/// The row of a table whose first cell is `` `key` ``.
fn row(key: &str) -> Vec<&'static str> {
    let start = format!("| `{key}` |");
    let rows: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with(&start)).collect();
    assert_eq!(rows.len(), 1, "{key} has {} rows", rows.len());
    rows[0].trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_code_has_one_row_with_its_status_and_what_to_do() {
    for code in Code::ALL {
        let cells = row(code.name());
        assert_eq!(cells[1], status_word(code.status()).to_lowercase(), "{}", code.name());
        assert!(cells.len() >= 4 && cells.iter().all(|cell| !cell.is_empty()), "{}", code.name());
    }
}

#[test]
fn no_row_is_left_over() {
    for line in DOCUMENT.lines().filter(|line| line.starts_with("| `")) {
        let name = line.trim_start_matches("| `").split('`').next().unwrap();
        let known = Code::by_name(name).is_some() || name.contains('_') && name == name.to_lowercase();
        assert!(known, "{name} is in the document and nowhere else");
    }
}

#[test]
fn the_default_numbers_are_the_ones_the_rules_use() {
    let tiers = [Tier::Tier1, Tier::Tier2, Tier::Tier3].map(Limits::built_in);
    type Of = fn(&Limits) -> jiff::SignedDuration;
    let times: [(&str, Of); 6] = [
        ("rpo_warning", |l| l.rpo_warning),
        ("rpo_breach", |l| l.rpo_breach),
        ("breach_for", |l| l.breach_for),
        ("recover_for", |l| l.recover_for),
        ("stale_after", |l| l.stale_after),
        ("lost_after", |l| l.lost_after),
    ];
    for (name, of) in times {
        let expected: Vec<String> = tiers.iter().map(|l| humane(of(l))).collect();
        assert_eq!(row(name)[1..4], expected, "{name}");
    }
    let bytes: Vec<String> = tiers.iter().map(|l| format!("{} MiB", l.unapplied_bytes_warning / 1024 / 1024)).collect();
    assert_eq!(row("unapplied_bytes_warning")[1..4], bytes);
}
