//! Who is primary, who is standby, and whether the two belong together.

use super::answers::Seen;
use super::positions::line;
use crate::pb::observation::v1::PostgresqlFacts;
use crate::readiness::code::{Code, Finding};
use crate::readiness::knowledge::Knowledge;
use crate::readiness::replication::lsn_text;

/// Two primaries, or none. Says why positions cannot be compared, if so.
pub(super) fn role_conflict(
    primaries: &[Seen<'_>],
    standbys: &[Seen<'_>],
    nodes: usize,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    match (primaries, standbys) {
        ([a, b, ..], _) => {
            let (x, y) = (&a.node.name, &b.node.name);
            findings.push(Finding::new(Code::TwoPrimaries, format!("{x} and {y} both accept writes.")));
            let same_system = a.facts.system_identifier == b.facts.system_identifier;
            if !same_system {
                findings.push(system_mismatch(a, b));
            } else if a.facts.timeline.is_some() && a.facts.timeline == b.facts.timeline {
                // A promotion always raises the timeline, so these are one server behind two names,
                // or a copy that was started without standby.signal.
                findings.push(Finding::new(
                    Code::SameServer,
                    format!("{x} and {y} are the same system on the same timeline: one server behind two names, or a copy started as a primary."),
                ));
            }
            Some("two servers accept writes".into())
        }
        ([], [_, _, ..]) if standbys.len() == nodes => {
            findings.push(Finding::new(Code::NoPrimary, "Every node is in recovery: nobody accepts writes."));
            None
        }
        _ => None,
    }
}

pub(super) fn system_mismatch(a: &Seen<'_>, b: &Seen<'_>) -> Finding {
    Finding::new(
        Code::SystemMismatch,
        format!(
            "{} has system identifier {}, {} has {}: they are different databases.",
            a.node.name, a.facts.system_identifier, b.node.name, b.facts.system_identifier
        ),
    )
}

/// Whether the standby is a copy of this primary. Says why positions cannot be compared, if not.
pub(super) fn compare(p: Seen<'_>, s: Seen<'_>, knowledge: &Knowledge, findings: &mut Vec<Finding>) -> Option<String> {
    let (ours, theirs) = (&p.facts.system_identifier, &s.facts.system_identifier);
    if !ours.is_empty() && !theirs.is_empty() && ours != theirs {
        findings.push(system_mismatch(&p, &s));
        return Some("the two nodes are different database systems".into());
    }
    if let (Some(primary), Some(standby)) = (p.facts.timeline, diverging_timeline(p.facts, s.facts)) {
        findings.push(
            Finding::new(
                Code::TimelineDiverged,
                format!("The standby is on timeline {standby}, the primary on {primary}."),
            )
            .measured("standby_timeline", Some(f64::from(standby)), Some(f64::from(primary)), "count"),
        );
        return Some("the two nodes are on different timelines".into());
    }
    let known = knowledge.standby_position().filter(|_| knowledge.line() == line(p).as_ref());
    if let (Some(held), Some(current)) = (known, p.facts.current_lsn)
        && held > current
    {
        findings.push(
            Finding::new(
                Code::StandbyAhead,
                format!(
                    "The standby held {} before, and the primary is only at {}: the primary lost log.",
                    lsn_text(held),
                    lsn_text(current)
                ),
            )
            .measured("ahead_bytes", Some((held - current) as f64), Some(0.0), "bytes"),
        );
        return Some("the standby holds log that the primary has not".into());
    }
    None
}

/// The standby's timeline, when it is known not to fit. The control file of a standby lags behind
/// (T4), so without a receiver only a higher number proves anything.
pub(super) fn diverging_timeline(primary: &PostgresqlFacts, standby: &PostgresqlFacts) -> Option<u32> {
    let ours = primary.timeline?;
    match standby.wal_receiver.as_ref().map(|r| r.received_timeline) {
        Some(received) if received != 0 => Some(received).filter(|t| *t != ours),
        _ => standby.timeline.filter(|t| *t > ours),
    }
}
