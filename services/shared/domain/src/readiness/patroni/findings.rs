//! What Patroni itself says that stands in the way of a move, or of Patroni's own failover.

use jiff::SignedDuration;

use crate::pb::inventory::v1::PatroniTarget;
use crate::pb::observation::v1::{Observation, PatroniFacts, node_observation::Result as NodeResult};
use crate::readiness::code::{Code, Finding};
use crate::time::{from_pb, humane};

/// Patroni's default `ttl`: a member that has not seen the store for so long has lost its lease.
const STORE_MAX_SILENCE: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn of(target: &PatroniTarget, observation: &Observation) -> Vec<Finding> {
    let answers: Vec<(&str, &PatroniFacts)> = target
        .nodes
        .iter()
        .filter_map(|node| match observation.nodes.iter().find(|seen| seen.node == node.name)?.result.as_ref()? {
            NodeResult::Patroni(facts) => Some((node.name.as_str(), facts)),
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    // One word about the cluster, whichever member said it.
    if answers.iter().any(|(_, facts)| facts.paused == Some(true)) {
        findings.push(Finding::new(
            Code::PatroniPaused,
            "Patroni is paused: it fails over to nobody, and starts nothing that stops.",
        ));
    }
    if answers.iter().any(|(_, facts)| facts.unlocked == Some(true)) {
        findings.push(Finding::new(
            Code::PatroniNoLeader,
            "No member holds Patroni's leader lock: nobody is allowed to be the primary.",
        ));
    }
    findings.extend(answers.iter().flat_map(|(name, facts)| of_member(name, facts)));
    findings
}

fn of_member(name: &str, facts: &PatroniFacts) -> Vec<Finding> {
    if !facts.api_error.is_empty() {
        let text = format!("{name}: Patroni does not answer, so it can be asked to move nothing: {}", facts.api_error);
        return vec![Finding::new(Code::PatroniUnreachable, text)];
    }
    let mut findings = Vec::new();
    if facts.pending_restart == Some(true) {
        let text = format!("{name}: a setting waits for a restart, so both members do not run with the same settings.");
        findings.push(Finding::new(Code::PatroniPendingRestart, text));
    }
    let in_recovery = facts.database.as_ref().and_then(|database| database.in_recovery);
    let differs = match (facts.role.as_str(), in_recovery) {
        ("primary", Some(true)) => Some("a standby"),
        ("replica", Some(false)) => Some("a primary"),
        _ => None,
    };
    if let Some(really) = differs {
        let text = format!("{name}: Patroni calls it {}, and the database is {really}.", facts.role);
        findings.push(Finding::new(Code::PatroniRoleDiffers, text));
    }
    findings.extend(store_silence(name, facts));
    findings
}

/// Both times are of the member's own host.
fn store_silence(name: &str, facts: &PatroniFacts) -> Option<Finding> {
    let now = from_pb(facts.database.as_ref()?.server_time.as_ref())?;
    let silence = now.duration_since(from_pb(facts.dcs_last_seen.as_ref())?);
    let finding = Finding::new(
        Code::PatroniStoreSilent,
        format!("{name}: Patroni has not reached its store for {}.", humane(silence)),
    );
    (silence > STORE_MAX_SILENCE).then(|| {
        finding.measured(
            "store_silence_seconds",
            Some(silence.as_secs_f64()),
            Some(STORE_MAX_SILENCE.as_secs_f64()),
            "s",
        )
    })
}
