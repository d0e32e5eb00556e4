//! docs/notifications.md is part of the product: every kind of message, rule, failure and retry.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use super::routing::{EMAIL, WEBHOOK, rule};
use super::{FailureCode, message::kind, schedule};
use crate::time::humane;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/notifications.md"));

/// The first cells of a section's table.
fn first_cells(section: &str) -> Vec<&'static str> {
    let text = PAGE.split("\n## ").find(|part| part.starts_with(section)).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_kind_of_message_has_its_row_and_no_row_is_left_over() {
    assert_eq!(first_cells("What is told"), kind::ALL);
}

#[test]
fn every_reason_not_to_send_has_its_row() {
    let rules = [
        rule::ON_CALL_IS_FOR_PRODUCTION,
        rule::INVALID_RECIPIENT,
        rule::TOO_OLD,
        rule::ALERT_NOT_TOLD,
        rule::RECIPIENT_DISABLED,
        rule::TOLD_ON_ANOTHER_ROUTE,
        rule::ALERT_ENDED,
        rule::NOTHING_TO_END,
        rule::TOLD_TOGETHER,
        rule::BLACKOUT,
    ];
    assert_eq!(first_cells("Not sent"), rules);
}

#[test]
fn every_failure_is_explained() {
    let missing: Vec<_> = FailureCode::ALL.map(FailureCode::name).into_iter().filter(|n| !PAGE.contains(n)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_retries_are_those_of_the_schedule() {
    for (channel, page_class, word) in
        [(EMAIL, false, "no"), (EMAIL, true, "yes"), (WEBHOOK, false, "no"), (WEBHOOK, true, "yes")]
    {
        let waits: Vec<String> = schedule::delays(channel, page_class).iter().copied().map(humane).collect();
        let row = format!("| `{channel}` | {word} | {} |", waits.join(", "));
        assert!(PAGE.contains(&row), "missing: {row}");
    }
}
