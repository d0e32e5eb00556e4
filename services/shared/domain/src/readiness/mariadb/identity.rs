//! Who is primary, who is standby, and whether the two belong together.

use super::answers::{Seen, history};
use super::positions::{line, transactions};
use crate::readiness::code::{Code, Finding};
use crate::readiness::knowledge::Knowledge;

/// So many stray transactions are named; the number tells of the rest.
const NAMED_ERRANT: usize = 5;

/// Two primaries, or none. Says why positions cannot be compared, if so.
pub(super) fn role_conflict(
    primaries: &[Seen<'_>],
    standbys: &[Seen<'_>],
    nodes: usize,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    match (primaries, standbys) {
        ([a, b, ..], _) => {
            let text = format!("{} and {} both accept writes.", a.node.name, b.node.name);
            findings.push(Finding::new(Code::TwoPrimaries, text));
            findings.extend(same_server(a, b));
            Some("two servers accept writes".into())
        }
        ([], [_, _, ..]) if standbys.len() == nodes => {
            let text = "Every node is a replica or refuses writes: nobody accepts writes.";
            findings.push(Finding::new(Code::NoPrimary, text));
            None
        }
        _ => None,
    }
}

fn same_server(a: &Seen<'_>, b: &Seen<'_>) -> Option<Finding> {
    let id = a.facts.server_id.filter(|id| b.facts.server_id == Some(*id))?;
    let text = format!(
        "{} and {} both have server_id {id}: one server behind two names, or two that cannot replicate from each other.",
        a.node.name, b.node.name
    );
    Some(Finding::new(Code::SameServer, text))
}

/// Whether the standby is a copy of this primary. Says why positions cannot be compared, if not.
pub(super) fn compare(p: Seen<'_>, s: Seen<'_>, knowledge: &Knowledge, findings: &mut Vec<Finding>) -> Option<String> {
    if let Some(finding) = same_server(&p, &s) {
        findings.push(finding);
        return Some("both nodes have the same server_id".into());
    }
    if let Some(finding) = errant(&p, &s) {
        findings.push(finding);
        return Some("the standby has transactions that the primary has not".into());
    }
    if s.facts.replica.as_ref().is_some_and(|replica| replica.using_gtid == "No") {
        // The finding is the link's.
        return Some("the standby does not replicate by GTID".into());
    }
    let known = knowledge.standby_position().filter(|_| knowledge.line() == line(p).as_ref());
    if let (Some(held), Some(current)) = (known, transactions(p.facts))
        && held > current
    {
        let text = format!(
            "The standby held {held} transactions before, and the primary has only {current}: the primary lost some."
        );
        findings.push(Finding::new(Code::StandbyAhead, text).measured(
            "ahead_transactions",
            Some((held - current) as f64),
            Some(0.0),
            "count",
        ));
        return Some("the standby holds transactions that the primary has not".into());
    }
    None
}

/// Transactions on the standby that are in nobody's history but its own. Replication does not notice them: it goes on,
/// until after a change of roles the other side lacks them. The primary's own are left out, because the standby may have
/// been asked a moment later.
fn errant(p: &Seen<'_>, s: &Seen<'_>) -> Option<Finding> {
    let (ours, theirs) = (history(p.facts)?, history(s.facts)?);
    let mut stray = ours.lacks(&theirs);
    stray.retain(|gtid| p.facts.server_id.is_some_and(|primary| gtid.server != primary));
    if stray.is_empty() {
        return None;
    }
    let named: Vec<String> = stray.iter().take(NAMED_ERRANT).map(ToString::to_string).collect();
    let text = format!(
        "{} has transactions that {} has not, by {} writer(s), the newest of each: {}.",
        s.node.name,
        p.node.name,
        stray.len(),
        named.join(", ")
    );
    Some(Finding::new(Code::ErrantTransactions, text).measured(
        "errant_writers",
        Some(stray.len() as f64),
        Some(0.0),
        "count",
    ))
}
