//! Positions of both sides, and what is remembered of them.

use super::answers::Seen;
use crate::pb::inventory::v1::{Heartbeat, PostgresqlTarget};
use crate::pb::observation::v1::PostgresqlFacts;
use crate::readiness::code::{Code, Finding};
use crate::readiness::knowledge::{Knowledge, Line, Sample};

pub(super) fn line(p: Seen<'_>) -> Option<Line> {
    if p.facts.system_identifier.is_empty() {
        return None;
    }
    Some(Line {
        node: p.node.name.to_owned(),
        system_identifier: p.facts.system_identifier.clone(),
        timeline: p.facts.timeline?,
    })
}

/// The furthest position the standby holds. After a restart the receive position begins at a
/// segment's start, behind what has been replayed.
pub(super) fn position(standby: &PostgresqlFacts) -> Option<u64> {
    let flushed = standby.wal_receiver.as_ref().and_then(|r| r.flushed_lsn);
    standby.receive_lsn.max(flushed).max(standby.replay_lsn)
}

pub(super) fn remember_positions(
    target: &PostgresqlTarget,
    primary: Option<Seen<'_>>,
    standby: Option<Seen<'_>>,
    knowledge: &mut Knowledge,
    findings: &mut Vec<Finding>,
) {
    if let Some(p) = primary {
        let sample = sample(target, p);
        if sample.is_none() && target.heartbeat() == Heartbeat::TransactionId {
            findings.push(Finding::new(
                Code::HeartbeatMissed,
                format!(
                    "{}: the heartbeat did not commit; what the primary wrote since the last one is not bounded by it.",
                    p.node.name
                ),
            ));
        }
        if let (Some(line), Some(sample)) = (line(p), sample) {
            knowledge.primary_at(line, sample);
        }
    }
    if let Some(s) = standby
        && knowledge.line().is_some_and(|l| l.system_identifier == s.facts.system_identifier)
        && let Some(position) = position(s.facts)
    {
        knowledge.standby_at(position);
    }
}

/// With a heartbeat declared, only a heartbeat counts: a primary that cannot commit would look
/// caught up for ever.
pub(super) fn sample(target: &PostgresqlTarget, p: Seen<'_>) -> Option<Sample> {
    if target.heartbeat() == Heartbeat::TransactionId {
        p.facts.heartbeat_at.as_ref()?;
        return Some(Sample { at: p.asked_at, lsn: p.facts.heartbeat_lsn? });
    }
    Some(Sample { at: p.asked_at, lsn: p.facts.current_lsn? })
}
