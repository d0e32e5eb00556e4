//! Whether log flows, whether it is applied, and whether it is kept for the standby.

use jiff::SignedDuration;

use super::answers::{Seen, is_limited};
use crate::pb::observation::v1::{PostgresqlFacts, WalReceiver, WalSender};
use crate::readiness::code::{Code, Finding};
use crate::readiness::knowledge::CLOCK_TOLERANCE;
use crate::readiness::replication::Link;
use crate::time::{duration_from_pb, from_pb, humane};

/// On an idle link the last message may be 30 s old with default settings: the receiver asks for a
/// sign of life after half of `wal_receiver_timeout` (60 s). Older than this is a dead peer (L4).
const RECEIVER_MESSAGE_MAX_AGE: SignedDuration = SignedDuration::from_secs(35);

/// Programs that show up in `pg_stat_replication` and are no standby (T10).
const NOT_A_STANDBY: &[&str] = &["pg_basebackup", "pg_receivewal", "pg_recvlogical"];

pub(super) fn link(
    primary: Option<Seen<'_>>,
    standby: Option<Seen<'_>>,
    comparable: bool,
    findings: &mut Vec<Finding>,
) -> Link {
    let receiver = standby.filter(|s| !is_limited(s.facts)).map(|s| receiver_problem(&s));
    let sender = primary.filter(|p| !is_limited(p.facts)).map(|p| sender_problem(&p, standby));
    let severed = matches!(receiver, Some(Some(_))) || matches!(sender, Some(Some(_)));
    findings.extend(receiver.flatten());
    findings.extend(sender.flatten());
    match (severed, comparable) {
        (true, _) => Link::Severed,
        (false, true) => Link::Live,
        (false, false) => Link::Unknown,
    }
}

pub(super) fn receiver_problem(s: &Seen<'_>) -> Option<Finding> {
    let name = &s.node.name;
    let Some(receiver) = &s.facts.wal_receiver else {
        return Some(Finding::new(Code::ReceiverMissing, format!("{name} receives nothing: it has no WAL receiver.")));
    };
    if receiver.status != "streaming" {
        let text = format!("{name}: the WAL receiver is '{}', not streaming.", receiver.status);
        return Some(Finding::new(Code::ReceiverNotStreaming, text));
    }
    let age = message_age(s.facts, receiver);
    if age.is_some_and(|age| age <= RECEIVER_MESSAGE_MAX_AGE) {
        return None;
    }
    let text = match age {
        Some(age) => format!("{name}: the last message from the primary is {} old; the peer may be dead.", humane(age)),
        None => format!("{name}: the time of the last message from the primary is not known."),
    };
    let limit = RECEIVER_MESSAGE_MAX_AGE.as_secs_f64();
    Some(Finding::new(Code::ReceiverSilent, text).measured(
        "receiver_message_age_seconds",
        age.map(|a| a.as_secs_f64()),
        Some(limit),
        "s",
    ))
}

/// Both times are the standby's own (L5). A message from its future is as good as none.
pub(super) fn message_age(facts: &PostgresqlFacts, receiver: &WalReceiver) -> Option<SignedDuration> {
    let age = from_pb(facts.server_time.as_ref())?.duration_since(from_pb(receiver.last_message_receipt_at.as_ref())?);
    (age >= -CLOCK_TOLERANCE).then(|| age.max(SignedDuration::ZERO))
}

pub(super) fn sender_problem(p: &Seen<'_>, standby: Option<Seen<'_>>) -> Option<Finding> {
    let to_a_standby = |s: &&WalSender| s.state != "backup" && !NOT_A_STANDBY.contains(&s.application_name.as_str());
    if p.facts.wal_senders.iter().any(|s| to_a_standby(&s)) {
        return None;
    }
    let name = &p.node.name;
    let receiver = standby.and_then(|s| s.facts.wal_receiver.as_ref()).filter(|r| r.status == "streaming");
    match receiver {
        Some(r) if r.sender_port != 0 && r.sender_port != p.node.port => Some(Finding::new(
            Code::FollowsOther,
            format!(
                "The standby streams from {}:{}, and {name} sends to nobody: it follows another server.",
                r.sender_host, r.sender_port
            ),
        )),
        _ => Some(Finding::new(Code::SenderMissing, format!("{name} sends its log to nobody."))),
    }
}

pub(super) fn replay(standby: &PostgresqlFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !matches!(standby.replay_pause_state.as_str(), "" | "not paused") {
        let text =
            format!("Replay on the standby is '{}': log arrives and is not applied.", standby.replay_pause_state);
        findings.push(Finding::new(Code::ReplayPaused, text));
    }
    if let Some(delay) = duration_from_pb(standby.recovery_min_apply_delay.as_ref()).filter(SignedDuration::is_positive)
    {
        findings.push(
            Finding::new(Code::ReplayDelayed, format!("The standby applies on purpose {} late.", humane(delay)))
                .measured("recovery_min_apply_delay_seconds", Some(delay.as_secs_f64()), Some(0.0), "s"),
        );
    }
    findings
}

pub(super) fn slots(primary: &PostgresqlFacts, receiver: Option<&WalReceiver>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let used = receiver.map(|r| r.slot_name.as_str());
    for slot in primary.slots.iter().filter(|s| s.slot_type != "logical") {
        // Without a receiver nobody tells which slot is the standby's: any lost one counts.
        if used.is_some_and(|name| name != slot.name) {
            continue;
        }
        match slot.wal_status.as_str() {
            "lost" => findings.push(Finding::new(
                Code::SlotLost,
                format!("Slot {} lost log the standby still needs: the standby must be rebuilt.", slot.name),
            )),
            "unreserved" => findings.push(Finding::new(
                Code::SlotAtRisk,
                format!("Slot {} is about to lose log the standby still needs.", slot.name),
            )),
            _ => {}
        }
    }
    let protected = used.is_none_or(|name| primary.slots.iter().any(|s| s.name == name));
    if !protected {
        let text =
            "The standby uses no replication slot: after an interruption the primary may have removed log it needs.";
        findings.push(Finding::new(Code::SlotMissing, text));
    }
    findings
}
