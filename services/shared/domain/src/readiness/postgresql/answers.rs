//! What each node answered, or why it did not.

use jiff::{SignedDuration, Timestamp};

use crate::pb::inventory::v1::PostgresqlNode;
use crate::pb::observation::v1::{
    ErrorClass, NodeObservation, Observation, PostgresqlFacts, WalReceiver, node_observation,
};
use crate::readiness::code::{Code, Finding};
use crate::readiness::knowledge::CLOCK_TOLERANCE;
use crate::readiness::replication::Role;
use crate::time::{duration_from_pb, from_pb, humane};

/// An answer older than this inside a new observation is not an answer to it.
const MAX_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// One node, as looked at now.
pub(super) struct Look<'a> {
    pub(super) node: &'a PostgresqlNode,
    /// Facts with the time they were asked for and the time they were complete.
    pub(super) answer: Option<Answer<'a>>,
    pub(super) failure: Option<Finding>,
}

#[derive(Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) facts: &'a PostgresqlFacts,
    pub(super) asked_at: Timestamp,
    pub(super) read_at: Timestamp,
}

/// A node that answered and told its role.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) node: &'a PostgresqlNode,
    pub(super) facts: &'a PostgresqlFacts,
    pub(super) asked_at: Timestamp,
    pub(super) read_at: Timestamp,
}

pub(super) fn look<'a>(node: &'a PostgresqlNode, observation: &'a Observation, observed_at: Timestamp) -> Look<'a> {
    let result = observation.nodes.iter().find(|n| n.node == node.name);
    let failed = |code, text: String| Look { node, answer: None, failure: Some(Finding::new(code, text)) };
    match result.and_then(|n| n.result.as_ref().map(|r| (n, r))) {
        None => failed(Code::AnswerInvalid, format!("The observation says nothing about node {}.", node.name)),
        Some((_, node_observation::Result::Error(error))) => {
            let code = failure_code(error.class());
            Look {
                node,
                answer: None,
                failure: code.map(|c| Finding::new(c, format!("{}: {}", node.name, error.message))),
            }
        }
        Some((n, node_observation::Result::Postgresql(facts))) => match answered(n, facts, observed_at) {
            Some(answer) => Look { node, answer: Some(answer), failure: None },
            None => failed(
                Code::AnswerInvalid,
                format!("{}: the answer carries no time that fits its observation.", node.name),
            ),
        },
        Some(_) => failed(Code::AnswerInvalid, format!("{}: the answer is another platform's.", node.name)),
    }
}

pub(super) fn answered<'a>(
    n: &NodeObservation,
    facts: &'a PostgresqlFacts,
    observed_at: Timestamp,
) -> Option<Answer<'a>> {
    let read_at = from_pb(n.read_at.as_ref())?.min(observed_at);
    if observed_at.duration_since(read_at) > MAX_LOOK {
        return None;
    }
    let took = duration_from_pb(n.took.as_ref()).unwrap_or(MAX_LOOK).clamp(SignedDuration::ZERO, MAX_LOOK);
    let asked_at = read_at.saturating_sub(took).ok()?;
    Some(Answer { facts, asked_at, read_at })
}

/// `None` for plain "no answer": the side's own reason says it.
pub(super) fn failure_code(class: ErrorClass) -> Option<Code> {
    match class {
        ErrorClass::Unreachable | ErrorClass::Unspecified => None,
        ErrorClass::Credential => Some(Code::CredentialRefused),
        ErrorClass::Permission => Some(Code::PermissionRefused),
        ErrorClass::NotReady => Some(Code::NodeNotReady),
        ErrorClass::Protocol => Some(Code::AnswerInvalid),
        ErrorClass::Configuration => Some(Code::ConfigurationError),
    }
}

pub(super) fn with_role<'a>(looks: &[Look<'a>], role: Role) -> Vec<Seen<'a>> {
    looks
        .iter()
        .filter_map(|l| l.answer.map(|a| (l.node, a)))
        .filter(|(_, a)| a.facts.in_recovery == Some(role == Role::Standby))
        .map(|(node, a)| Seen { node, facts: a.facts, asked_at: a.asked_at, read_at: a.read_at })
        .collect()
}

/// What an answer leaves out: the columns an account without pg_monitor gets as NULL, and the role.
pub(super) fn hidden(looks: &[Look<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, facts) in looks.iter().filter_map(|l| l.answer.map(|a| (&l.node.name, a.facts))) {
        if is_limited(facts) {
            findings.push(Finding::new(
                Code::PermissionLimited,
                format!("{node}: the monitor account does not see everything it needs (pg_monitor is missing)."),
            ));
        }
        if facts.in_recovery.is_none() {
            findings
                .push(Finding::new(Code::RoleUnknown, format!("{node}: it did not tell whether it is in recovery.")));
        }
    }
    findings
}

/// Columns that a server always fills are empty for an account without pg_monitor.
pub(super) fn is_limited(facts: &PostgresqlFacts) -> bool {
    let receiver_hidden =
        |r: &WalReceiver| r.status.is_empty() || (r.status == "streaming" && r.received_timeline == 0);
    facts.limited_view || facts.system_identifier.is_empty() || facts.wal_receiver.as_ref().is_some_and(receiver_hidden)
}

pub(super) fn clock_findings(observed_at: Timestamp, now: Timestamp, went_back: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if went_back {
        findings.push(Finding::new(Code::ClockBackwards, "The collector's clock went back since the look before."));
    }
    let ahead = observed_at.duration_since(now);
    if ahead > CLOCK_TOLERANCE {
        findings.push(
            Finding::new(
                Code::ClockAhead,
                format!("The collector's clock is {} ahead of the monitor's.", humane(ahead)),
            )
            .measured(
                "clock_difference_seconds",
                Some(ahead.as_secs_f64()),
                Some(CLOCK_TOLERANCE.as_secs_f64()),
                "s",
            ),
        );
    }
    findings
}
