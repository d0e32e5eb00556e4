//! Positions of both sides as numbers, and what is remembered of them.
//!
//! The number is the count of transactions. It can be compared because the standby's receiver reads the primary's log from
//! the beginning to the end: what it has is a part of that log up to one place, in every domain.

use super::answers::{Seen, position, received, role};
use super::gtid::Position;
use crate::pb::observation::v1::MariadbFacts;
use crate::readiness::knowledge::{Knowledge, Line, Sample};
use crate::readiness::replication::Role;

pub(super) fn line(p: Seen<'_>) -> Option<Line> {
    Some(Line { node: p.node.name.to_owned(), system_identifier: written(p.facts)?.system_identifier(), timeline: 0 })
}

/// How much a primary has written.
pub(super) fn transactions(primary: &MariadbFacts) -> Option<u64> {
    written(primary).map(|written| written.transactions())
}

/// What is in its log; right after a promotion of a rebuilt server that is nothing yet.
fn written(primary: &MariadbFacts) -> Option<Position> {
    let log: Position = primary.gtid_binlog_pos.as_deref()?.parse().ok()?;
    if log.is_empty() { position(primary) } else { Some(log) }
}

/// How much a standby holds of what is in these domains.
fn held(standby: &MariadbFacts) -> Option<Position> {
    let received = received(standby)?;
    let by_receiver = standby.replica.as_ref().and_then(|r| r.gtid_io_pos.as_deref()).is_some_and(|at| !at.is_empty());
    // What was applied is not a part up to one place: appliers of several domains run beside each other.
    (by_receiver || received.domains() <= 1).then_some(received)
}

pub(super) fn remember_positions(primary: Option<Seen<'_>>, standby: Option<Seen<'_>>, knowledge: &mut Knowledge) {
    let at_primary = primary.and_then(|p| Some((p.asked_at, line(p)?, written(p.facts)?)));
    if let Some((asked_at, line, written)) = &at_primary {
        knowledge.primary_at(line.clone(), Sample { at: *asked_at, lsn: written.transactions() });
    }
    let Some(held) = standby.and_then(|s| held(s.facts)) else { return };
    match &at_primary {
        Some((_, _, written)) => knowledge.standby_at(held.within(written).transactions()),
        // Of a primary that is not seen, only the domains are known.
        None if knowledge.line().is_some_and(|line| line.system_identifier == held.system_identifier()) => {
            knowledge.standby_at(held.transactions());
        }
        None => {}
    }
}

/// What a primary's answer is as a sample for a loss statement: which history, and how many transactions of it.
/// `None`: it is no primary, or it did not tell.
pub fn primary_sample(facts: &MariadbFacts) -> Option<(String, u64)> {
    if role(facts) != Some(Role::Primary) {
        return None;
    }
    let written = written(facts)?;
    Some((written.system_identifier(), written.transactions()))
}
