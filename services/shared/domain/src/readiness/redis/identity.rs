//! Who is primary, who is standby, and whether the two share a history.

use jiff::{SignedDuration, Timestamp};

use super::answers::Seen;
use crate::pb::observation::v1::RedisFacts;
use crate::readiness::code::{Code, Finding};
use crate::readiness::knowledge::{Data, Knowledge};

/// Less than this part of what was there, in a history that began anew, is a loss and no clean-up.
const COLLAPSED: u64 = 2;
/// A collapse is told for so long, unless the data comes back: somebody must see it, and somebody may have wanted it.
const COLLAPSE_TOLD_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Two primaries, or none. Says why positions cannot be compared, if so.
pub(super) fn role_conflict(
    primaries: &[Seen<'_>],
    standbys: &[Seen<'_>],
    nodes: usize,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    match (primaries, standbys) {
        ([a, b, ..], _) => {
            let (x, y) = (a.node.name, b.node.name);
            findings.push(Finding::new(Code::TwoPrimaries, format!("{x} and {y} both accept writes.")));
            findings.extend(same_server(a, b));
            Some("two servers accept writes".into())
        }
        ([], [a, b, ..]) if standbys.len() == nodes => {
            findings.push(Finding::new(Code::NoPrimary, "Every node is a replica: nobody accepts writes."));
            findings.extend(same_server(a, b));
            None
        }
        _ => None,
    }
}

/// Each start of a server has an id of its own.
fn same_server(a: &Seen<'_>, b: &Seen<'_>) -> Option<Finding> {
    let same = !a.facts.run_id.is_empty() && a.facts.run_id == b.facts.run_id;
    same.then(|| {
        let text =
            format!("{} and {} are one server behind two names: both tell the same run id.", a.node.name, b.node.name);
        Finding::new(Code::SameServer, text)
    })
}

/// Whether the standby is a copy of this primary. Says why positions cannot be compared, if not.
pub(super) fn compare(p: Seen<'_>, s: Seen<'_>, knowledge: &Knowledge, findings: &mut Vec<Finding>) -> Option<String> {
    let (ours, theirs) = (&p.facts.replid, &s.facts.replid);
    if s.facts.sync_in_progress == Some(true) {
        // What it held is given up, what it will hold is not there yet; the finding is the link's.
        return Some("the standby is just being filled".into());
    }
    if !ours.is_empty() && !theirs.is_empty() && ours != theirs {
        findings.push(other_history(&p, &s));
        return Some("the two nodes are in different histories".into());
    }
    let known = knowledge
        .standby_position()
        .filter(|_| knowledge.line().is_some_and(|line| line.node == p.node.name && line.system_identifier == *ours));
    if let (Some(held), Some(current)) = (known, p.facts.offset)
        && held > current
    {
        let text =
            format!("The standby held {held} before, and the primary is only at {current}: the primary lost writes.");
        findings.push(Finding::new(Code::StandbyAhead, text).measured(
            "ahead_bytes",
            Some((held - current) as f64),
            Some(0.0),
            "bytes",
        ));
        return Some("the standby holds writes that the primary has not".into());
    }
    None
}

fn other_history(p: &Seen<'_>, s: &Seen<'_>) -> Finding {
    let (a, b) = (p.node.name, s.node.name);
    let (ours, theirs) = (short(&p.facts.replid), short(&s.facts.replid));
    if p.facts.replid2 == s.facts.replid {
        let text = format!("{b} is still in history {theirs}, which {a} left when it became the primary.");
        return Finding::new(Code::TimelineDiverged, text);
    }
    let text = format!("{a} is in history {ours}, {b} in {theirs}, and neither came out of the other.");
    Finding::new(Code::SystemMismatch, text)
}

/// A primary that came back without its history, and with far less than it had: its replica has been emptied with it.
pub(super) fn collapsed(p: Seen<'_>, now: Timestamp, knowledge: &mut Knowledge) -> Option<Finding> {
    let keys = p.facts.keys.filter(|_| p.facts.loading != Some(true) && !p.facts.replid.is_empty())?;
    let before = knowledge.data().cloned();
    let began_anew = |before: &Data| before.history != p.facts.replid && !continues(p.facts, &before.history);
    let lost = before.as_ref().filter(|before| began_anew(before) && keys < before.amount / COLLAPSED);
    if let Some(before) = lost {
        knowledge.data_collapsed(before.amount, now);
    }
    knowledge.data_is(Data { history: p.facts.replid.clone(), amount: keys });
    let collapse = knowledge.collapse()?;
    if keys >= collapse.before / COLLAPSED || now.duration_since(collapse.at) > COLLAPSE_TOLD_FOR {
        knowledge.data_came_back();
        return None;
    }
    let text = format!(
        "{} began a new history with {keys} keys, and there were {}: it was restarted without its data, and its replica was emptied with it.",
        p.node.name, collapse.before
    );
    Some(Finding::new(Code::DataCollapsed, text).measured(
        "keys",
        Some(keys as f64),
        Some((collapse.before / COLLAPSED) as f64),
        "count",
    ))
}

fn continues(facts: &RedisFacts, history: &str) -> bool {
    facts.replid2 == history
}

fn short(replid: &str) -> &str {
    replid.get(..8).unwrap_or(replid)
}
