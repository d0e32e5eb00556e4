//! What each node answered to one look, or why it did not: the same for every platform.

use jiff::{SignedDuration, Timestamp};

use super::code::{Code, Finding};
use super::knowledge::{CLOCK_TOLERANCE, Knowledge};
use super::replication::{Role, Side};
use crate::inventory::platform::NodeRef;
use crate::pb::inventory::v1::ResourceSpec;
use crate::pb::observation::v1::{ErrorClass, NodeObservation, Observation, node_observation};
use crate::time::{duration_from_pb, from_pb, humane};

/// An answer older than this inside a new observation is not an answer to it.
const MAX_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// One node, as looked at now. `F` is what this platform's servers tell.
pub(super) struct Look<'a, F> {
    pub(super) node: NodeRef<'a>,
    /// Facts with the time they were asked for and the time they were complete.
    pub(super) answer: Option<Answer<'a, F>>,
    pub(super) failure: Option<Finding>,
}

pub(super) struct Answer<'a, F> {
    pub(super) facts: &'a F,
    pub(super) asked_at: Timestamp,
    pub(super) read_at: Timestamp,
}

/// A node that answered and told its role.
pub(super) struct Seen<'a, F> {
    pub(super) node: NodeRef<'a>,
    pub(super) facts: &'a F,
    pub(super) asked_at: Timestamp,
    pub(super) read_at: Timestamp,
}

// Written out, because deriving them would ask the same of `F`.
impl<F> Clone for Answer<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<F> Copy for Answer<'_, F> {}
impl<F> Clone for Seen<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<F> Copy for Seen<'_, F> {}

/// `facts`: those of this platform, if the answer is one of its servers.
pub(super) fn look<'a, F>(
    node: NodeRef<'a>,
    observation: &'a Observation,
    observed_at: Timestamp,
    facts: impl Fn(&'a node_observation::Result) -> Option<&'a F>,
) -> Look<'a, F> {
    let name = node.name;
    let failed = |code, text: String| Look { node, answer: None, failure: Some(Finding::new(code, text)) };
    let found = observation.nodes.iter().find(|n| n.node == name);
    match found.and_then(|n| n.result.as_ref().map(|r| (n, r))) {
        None => failed(Code::AnswerInvalid, format!("The observation says nothing about node {name}.")),
        Some((_, node_observation::Result::Error(error))) => {
            let failure =
                failure_code(error.class()).map(|code| Finding::new(code, format!("{name}: {}", error.message)));
            Look { node, answer: None, failure }
        }
        Some((n, result)) => match facts(result).map(|facts| answered(n, facts, observed_at)) {
            Some(Some(answer)) => Look { node, answer: Some(answer), failure: None },
            Some(None) => {
                failed(Code::AnswerInvalid, format!("{name}: the answer carries no time that fits its observation."))
            }
            None => failed(Code::AnswerInvalid, format!("{name}: the answer is another platform's.")),
        },
    }
}

fn answered<'a, F>(n: &NodeObservation, facts: &'a F, observed_at: Timestamp) -> Option<Answer<'a, F>> {
    let read_at = from_pb(n.read_at.as_ref())?.min(observed_at);
    if observed_at.duration_since(read_at) > MAX_LOOK {
        return None;
    }
    let took = duration_from_pb(n.took.as_ref()).unwrap_or(MAX_LOOK).clamp(SignedDuration::ZERO, MAX_LOOK);
    let asked_at = read_at.saturating_sub(took).ok()?;
    Some(Answer { facts, asked_at, read_at })
}

/// `None` for plain "no answer": the side's own reason says it.
fn failure_code(class: ErrorClass) -> Option<Code> {
    match class {
        ErrorClass::Unreachable | ErrorClass::Unspecified => None,
        ErrorClass::Credential => Some(Code::CredentialRefused),
        ErrorClass::Permission => Some(Code::PermissionRefused),
        ErrorClass::NotReady => Some(Code::NodeNotReady),
        ErrorClass::Protocol => Some(Code::AnswerInvalid),
        ErrorClass::Configuration => Some(Code::ConfigurationError),
    }
}

pub(super) fn with_role<'a, F>(
    looks: &[Look<'a, F>],
    role: Role,
    role_of: impl Fn(&F) -> Option<Role>,
) -> Vec<Seen<'a, F>> {
    looks
        .iter()
        .filter_map(|l| l.answer.map(|a| (l.node, a)))
        .filter(|(_, a)| role_of(a.facts) == Some(role))
        .map(|(node, a)| Seen { node, facts: a.facts, asked_at: a.asked_at, read_at: a.read_at })
        .collect()
}

pub(super) fn both<'a, F>(
    primary: Option<Seen<'a, F>>,
    standby: Option<Seen<'a, F>>,
) -> Option<(Seen<'a, F>, Seen<'a, F>)> {
    Some((primary?, standby?))
}

pub(super) fn one<'a, F>(nodes: &[Seen<'a, F>]) -> Option<Seen<'a, F>> {
    if let [only] = nodes { Some(*only) } else { None }
}

/// Both sides, with the role each has, or is expected to have while it is not seen.
pub(super) fn sides<F>(
    spec: &ResourceSpec,
    looks: &[Look<'_, F>],
    role_of: impl Fn(&F) -> Option<Role>,
    observed_at: Timestamp,
    knowledge: &Knowledge,
) -> Vec<Side> {
    let own = |l: &Look<'_, F>| l.answer.and_then(|a| role_of(a.facts));
    // With two primaries, or none, the other one's role says nothing.
    let seen = |role| looks.iter().filter(|l| own(l) == Some(role)).count() == 1;
    let (primary_seen, standby_seen) = (seen(Role::Primary), seen(Role::Standby));
    looks
        .iter()
        .map(|l| {
            let expected = match (primary_seen, standby_seen) {
                (true, false) => Role::Standby,
                (false, true) => Role::Primary,
                _ => knowledge.role_of(l.node.name).unwrap_or(if l.node.site == spec.primary_site {
                    Role::Primary
                } else {
                    Role::Standby
                }),
            };
            let own = own(l);
            Side {
                node: l.node.name.to_owned(),
                site: l.node.site.to_owned(),
                role: own.unwrap_or(expected),
                seen: own.is_some(),
                unseen_for: if own.is_some() {
                    Some(SignedDuration::ZERO)
                } else {
                    knowledge.unseen_for(l.node.name, observed_at)
                },
            }
        })
        .collect()
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

/// Whether the declaration names two servers at all.
pub(super) fn declared_pair(nodes: &[NodeRef<'_>]) -> Option<Finding> {
    let [a, b] = nodes else {
        let text = "The target does not name exactly two nodes, so there is nothing to compare.";
        return Some(Finding::new(Code::NodesNotTwo, text).measured(
            "nodes",
            Some(nodes.len() as f64),
            Some(2.0),
            "count",
        ));
    };
    let same = a.host == b.host && a.port == b.port;
    same.then(|| {
        let address = format!("{}:{}", a.host, a.port);
        Finding::new(
            Code::SameServer,
            format!("{} and {} are both declared at {address}: one server is no standby of itself.", a.name, b.name),
        )
    })
}

pub(super) fn on_dr_site(spec: &ResourceSpec, primary: NodeRef<'_>) -> Option<Finding> {
    let site = primary.site;
    let away = *site == spec.dr_site && *site != spec.primary_site;
    away.then(|| Finding::new(Code::RunningOnDrSite, format!("The system runs on its DR site {site}.")))
}
