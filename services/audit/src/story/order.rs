//! From events to a story: each below what caused it, causes before effects.

use std::collections::{BTreeMap, HashMap};

use muster_domain::pb::audit::v1::{AuditRecord, StoryLine};

/// Where one event belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Chapter {
    Event,
    Analysis,
    Gate,
    Decision,
    Execution,
    Rollback,
    After,
}

impl Chapter {
    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Analysis => "analysis",
            Self::Gate => "gate",
            Self::Decision => "decision",
            Self::Execution => "execution",
            Self::Rollback => "rollback",
            Self::After => "after",
        }
    }
}

/// Lays out the records of one request's story. Every record is in it exactly once.
pub(crate) fn in_causal_order(request_id: &str, mut records: Vec<AuditRecord>) -> Vec<StoryLine> {
    records.sort_by_key(|record| record.sequence);
    let parents = parents(request_id, &records);
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut roots = Vec::new();
    for (index, parent) in parents.iter().enumerate() {
        match parent {
            Some(parent) => children.entry(*parent).or_default().push(index),
            None => roots.push(index),
        }
    }
    let undo_from = records.iter().find(|record| record.r#type == "execution.undo_begun").map(|r| r.sequence);
    let mut lines = Vec::with_capacity(records.len());
    // Depth first, so that what an event caused follows it; a stack, so that no chain of events is too long.
    let mut open: Vec<(usize, u32, Chapter)> = roots.into_iter().rev().map(|root| (root, 0, Chapter::Event)).collect();
    while let Some((index, depth, above)) = open.pop() {
        let record = &records[index];
        let chapter = chapter(request_id, record, undo_from).unwrap_or(above);
        lines.push(StoryLine { record: Some(record.clone()), chapter: chapter.name().to_owned(), depth });
        let below = children.get(&index).into_iter().flatten().rev();
        open.extend(below.map(|child| (*child, depth + 1, chapter)));
    }
    lines
}

/// What each record hangs below: what it says caused it; else the first event of its own thing; else the request.
/// Always an earlier one, so that there is no circle.
fn parents(request_id: &str, records: &[AuditRecord]) -> Vec<Option<usize>> {
    let by_event: HashMap<&str, usize> =
        records.iter().enumerate().map(|(index, record)| (record.event_id.as_str(), index)).collect();
    let mut first_of: HashMap<&str, usize> = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        first_of.entry(record.aggregate.as_str()).or_insert(index);
    }
    let request = first_of.get(format!("request/{request_id}").as_str()).copied();
    let parent = |(index, record): (usize, &AuditRecord)| {
        let cause = by_event.get(record.causation_id.as_str()).copied();
        let own_first = first_of.get(record.aggregate.as_str()).copied();
        // What led to the request stands beside it, not below it.
        let belongs = !is_before(record) && record.aggregate != format!("request/{request_id}");
        let by_request = request.filter(|_| belongs);
        let earlier = |candidate: &usize| *candidate < index;
        let of_readiness = record.aggregate.starts_with("readiness/");
        cause
            .filter(earlier)
            .or_else(|| own_first.filter(|_| !of_readiness).filter(earlier))
            .or_else(|| by_request.filter(earlier))
    };
    records.iter().enumerate().map(parent).collect()
}

fn is_before(record: &AuditRecord) -> bool {
    ["readiness/", "preflight/", "schedule/"].iter().any(|kind| record.aggregate.starts_with(kind))
}

/// `None`: that of its cause.
fn chapter(request_id: &str, record: &AuditRecord, undo_from: Option<u64>) -> Option<Chapter> {
    let kind = record.aggregate.split('/').next().unwrap_or_default();
    let is_end = ["execution.succeeded", "execution.failed", "execution.stopped"].contains(&record.r#type.as_str());
    Some(match (kind, record.r#type.as_str()) {
        ("readiness" | "schedule", _) => Chapter::Event,
        ("preflight", _) => Chapter::Analysis,
        ("request", _) if record.aggregate != format!("request/{request_id}") => Chapter::Rollback,
        ("request", "request.created") => Chapter::Gate,
        ("request", "request.break_glass_reviewed" | "request.break_glass_review_overdue") => Chapter::After,
        ("request" | "denial" | "delegation" | "intent", _) => Chapter::Decision,
        ("execution", _) if undo_from.is_some_and(|from| record.sequence >= from) && !is_end => Chapter::Rollback,
        ("execution", _) => Chapter::Execution,
        ("reservation", kind) if kind.contains("cool_down") => Chapter::After,
        ("reservation", _) => Chapter::Execution,
        ("plan" | "gate" | "gap" | "review", _) => Chapter::After,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, aggregate: &str, kind: &str, cause: u64) -> AuditRecord {
        AuditRecord {
            sequence,
            event_id: format!("e{sequence}"),
            aggregate: aggregate.into(),
            r#type: kind.into(),
            causation_id: if cause == 0 { String::new() } else { format!("e{cause}") },
            ..Default::default()
        }
    }

    fn told(records: Vec<AuditRecord>) -> Vec<(u64, u32, String)> {
        let lines = in_causal_order("r", records);
        lines.into_iter().map(|line| (line.record.unwrap_or_default().sequence, line.depth, line.chapter)).collect()
    }

    #[test]
    fn effects_follow_their_causes_and_hang_below_them() {
        let lines = told(vec![
            record(14, "gap/g", "gap.opened", 13),
            record(1, "readiness/orders-db", "alert.opened", 0),
            record(2, "preflight/p", "preflight.checked", 0),
            record(3, "request/r", "request.created", 0),
            record(4, "delivery/a", "notification.queued", 3),
            record(5, "request/r", "request.approved", 0),
            record(6, "denial/d", "access.denied", 0),
            record(7, "delivery/a", "notification.accepted", 0),
            record(8, "request/r", "request.confirmed", 0),
            record(9, "execution/r", "execution.started", 8),
            record(10, "execution/r", "execution.step_claimed", 0),
            record(11, "execution/r", "execution.undo_begun", 0),
            record(12, "execution/r", "execution.step_claimed", 0),
            record(13, "execution/r", "execution.failed", 0),
            record(15, "request/x", "request.created", 0),
        ]);
        let expected = [
            (1, 0, "event"),
            (2, 0, "analysis"),
            (3, 0, "gate"),
            (4, 1, "gate"),
            (7, 2, "gate"),
            (5, 1, "decision"),
            (6, 1, "decision"),
            (8, 1, "decision"),
            (9, 2, "execution"),
            (10, 3, "execution"),
            (11, 3, "rollback"),
            (12, 3, "rollback"),
            (13, 3, "execution"),
            (14, 4, "after"),
            (15, 1, "rollback"),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(s, d, c)| (s, d, c.to_owned())).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_event_is_lost_or_told_twice_whatever_is_said_to_cause_what() {
        // A circle, a cause that is later, a cause that is not there, an event that causes itself.
        let lines = told(vec![
            record(1, "a/1", "x", 2),
            record(2, "b/1", "x", 1),
            record(3, "c/1", "x", 3),
            record(4, "d/1", "x", 99),
            record(5, "e/1", "x", 9),
        ]);
        let mut sequences: Vec<u64> = lines.iter().map(|line| line.0).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, [1, 2, 3, 4, 5]);
        assert_eq!(lines[1], (2, 1, "event".to_owned()), "a cause is never later than its effect");
    }
}
