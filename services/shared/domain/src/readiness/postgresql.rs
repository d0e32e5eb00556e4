//! PostgreSQL streaming replication: from what two servers answered to platform-neutral facts.
//!
//! Where lag lies (contract sheet, traps L1 to L5): an idle primary makes the age of the last
//! replayed commit grow; a severed standby has received = replayed; a paused replay keeps a small
//! `replay_lag`; a dead peer stays `streaming` for a minute; two hosts have two clocks. So the RPO
//! indicator is computed from positions: the newest position of the primary, with the time it was
//! read, that the standby is known to hold while log was flowing.

use jiff::{SignedDuration, Timestamp};

use super::code::{Code, Finding};
use super::knowledge::{Accepted, CLOCK_TOLERANCE, Knowledge, Line, Sample};
use super::replication::{Link, Replication, Role, Side, lsn_text};
use crate::pb::common::v1::Marker;
use crate::pb::inventory::v1::{Heartbeat, PostgresqlNode, PostgresqlTarget, ResourceSpec};
use crate::pb::observation::v1::{
    ErrorClass, NodeObservation, Observation, PostgresqlFacts, WalReceiver, node_observation,
};
use crate::time::{duration_from_pb, from_pb, humane, to_pb};

/// On an idle link the last message may be 30 s old with default settings: the receiver asks for a
/// sign of life after half of `wal_receiver_timeout` (60 s). Older than this is a dead peer (L4).
pub const RECEIVER_MESSAGE_MAX_AGE: SignedDuration = SignedDuration::from_secs(35);

/// An answer older than this inside a new observation is not an answer to it.
const MAX_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// Programs that show up in `pg_stat_replication` and are no standby (T10).
const NOT_A_STANDBY: &[&str] = &["pg_basebackup", "pg_receivewal", "pg_recvlogical"];

/// One node, as looked at now.
struct Look<'a> {
    node: &'a PostgresqlNode,
    /// Facts with the time they were asked for and the time they were complete.
    answer: Option<Answer<'a>>,
    failure: Option<Finding>,
}

#[derive(Clone, Copy)]
struct Answer<'a> {
    facts: &'a PostgresqlFacts,
    asked_at: Timestamp,
    read_at: Timestamp,
}

/// A node that answered and told its role.
#[derive(Clone, Copy)]
struct Seen<'a> {
    node: &'a PostgresqlNode,
    facts: &'a PostgresqlFacts,
    asked_at: Timestamp,
    read_at: Timestamp,
}

/// Interprets one observation. `None`: not newer than what is known. `now` is the monitor's clock.
pub fn interpret(
    spec: &ResourceSpec,
    target: &PostgresqlTarget,
    observation: &Observation,
    now: Timestamp,
    knowledge: &mut Knowledge,
) -> Option<Replication> {
    let Accepted::Yes { observed_at, clock_went_back } = knowledge.accept(observation, now) else { return None };
    knowledge.keep_nodes(&target.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>());
    let mut findings = clock_findings(observed_at, now, clock_went_back);
    let looks: Vec<Look<'_>> = target.nodes.iter().map(|node| look(node, observation, observed_at)).collect();

    let seen = with_role(&looks, false);
    let standbys = with_role(&looks, true);
    findings.extend(looks.iter().filter_map(|l| l.failure.clone()));
    findings.extend(hidden(&looks));
    if let [a, b] = target.nodes.as_slice() {
        findings.extend(same_address(a, b));
    } else {
        findings.push(
            Finding::new(
                Code::NodesNotTwo,
                "The target does not name exactly two nodes, so there is nothing to compare.",
            )
            .measured("nodes", Some(target.nodes.len() as f64), Some(2.0), "count"),
        );
    }
    for (nodes, role) in [(&seen, Role::Primary), (&standbys, Role::Standby)] {
        for node in nodes {
            knowledge.node_seen(&node.node.name, role, node.read_at);
        }
    }
    let primary = one(&seen);
    let standby = if seen.len() <= 1 { one(&standbys) } else { None };
    let mut incomparable = role_conflict(&seen, &standbys, looks.len(), &mut findings);

    if let (Some(p), Some(s)) = (primary, standby) {
        incomparable = incomparable.or_else(|| compare(p, s, knowledge, &mut findings));
    }
    if incomparable.is_none() {
        remember_positions(target, primary, standby, knowledge, &mut findings);
    }
    let hidden_view =
        findings.iter().any(|f| matches!(f.code, Code::PermissionLimited | Code::RoleUnknown | Code::NodesNotTwo));
    let full_sight = primary.is_some() && standby.is_some() && !hidden_view;
    let link = link(primary, standby, full_sight && incomparable.is_none(), &mut findings);
    if link == Link::Live {
        knowledge.link_live(observed_at);
    }
    if let Some(s) = standby {
        findings.extend(replay(s.facts));
    }
    if let Some(p) = primary {
        findings.extend(slots(p.facts, standby.and_then(|s| s.facts.wal_receiver.as_ref())));
        if p.node.site == spec.dr_site && p.node.site != spec.primary_site {
            findings
                .push(Finding::new(Code::RunningOnDrSite, format!("The system runs on its DR site {}.", p.node.site)));
        }
    }
    let comparable = incomparable.is_none();
    Some(Replication {
        observed_at,
        sides: sides(spec, &looks, primary.is_some(), standby.is_some(), observed_at, knowledge),
        link,
        full_sight,
        findings,
        primary: primary.map(|p| marker(p, Role::Primary)),
        standby: standby.map(|s| marker(s, Role::Standby)),
        active_site: primary.map(|p| p.node.site.clone()),
        not_received_bytes: both(primary, standby)
            .filter(|_| comparable)
            .and_then(|(p, s)| Some(p.facts.current_lsn?.saturating_sub(position(s.facts)?))),
        not_applied_bytes: standby.and_then(|s| Some(position(s.facts)?.saturating_sub(s.facts.replay_lsn?))),
        missing_bytes: knowledge.missing_bytes().filter(|_| comparable),
        caught_up_ago: knowledge.caught_up_ago(observed_at).filter(|_| comparable),
        incomparable,
    })
}

fn both<'a>(primary: Option<Seen<'a>>, standby: Option<Seen<'a>>) -> Option<(Seen<'a>, Seen<'a>)> {
    Some((primary?, standby?))
}

fn one<'a>(nodes: &[Seen<'a>]) -> Option<Seen<'a>> {
    if let [only] = nodes { Some(*only) } else { None }
}

// ---- what each node answered ----

fn look<'a>(node: &'a PostgresqlNode, observation: &'a Observation, observed_at: Timestamp) -> Look<'a> {
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
    }
}

fn answered<'a>(n: &NodeObservation, facts: &'a PostgresqlFacts, observed_at: Timestamp) -> Option<Answer<'a>> {
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

fn with_role<'a>(looks: &[Look<'a>], in_recovery: bool) -> Vec<Seen<'a>> {
    looks
        .iter()
        .filter_map(|l| l.answer.map(|a| (l.node, a)))
        .filter(|(_, a)| a.facts.in_recovery == Some(in_recovery))
        .map(|(node, a)| Seen { node, facts: a.facts, asked_at: a.asked_at, read_at: a.read_at })
        .collect()
}

/// What an answer leaves out: the columns an account without pg_monitor gets as NULL, and the role.
fn hidden(looks: &[Look<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, facts) in looks.iter().filter_map(|l| l.answer.map(|a| (&l.node.name, a.facts))) {
        if facts.limited_view || facts.system_identifier.is_empty() {
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

fn clock_findings(observed_at: Timestamp, now: Timestamp, went_back: bool) -> Vec<Finding> {
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

// ---- roles and identity ----

fn same_address(a: &PostgresqlNode, b: &PostgresqlNode) -> Option<Finding> {
    let same = a.host == b.host && a.port == b.port;
    same.then(|| {
        let address = format!("{}:{}", a.host, a.port);
        Finding::new(
            Code::SameServer,
            format!("{} and {} are both declared at {address}: one server is no standby of itself.", a.name, b.name),
        )
    })
}

/// Two primaries, or none. Says why positions cannot be compared, if so.
fn role_conflict(
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

fn system_mismatch(a: &Seen<'_>, b: &Seen<'_>) -> Finding {
    Finding::new(
        Code::SystemMismatch,
        format!(
            "{} has system identifier {}, {} has {}: they are different databases.",
            a.node.name, a.facts.system_identifier, b.node.name, b.facts.system_identifier
        ),
    )
}

/// Whether the standby is a copy of this primary. Says why positions cannot be compared, if not.
fn compare(p: Seen<'_>, s: Seen<'_>, knowledge: &Knowledge, findings: &mut Vec<Finding>) -> Option<String> {
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
fn diverging_timeline(primary: &PostgresqlFacts, standby: &PostgresqlFacts) -> Option<u32> {
    let ours = primary.timeline?;
    match standby.wal_receiver.as_ref().map(|r| r.received_timeline) {
        Some(received) if received != 0 => Some(received).filter(|t| *t != ours),
        _ => standby.timeline.filter(|t| *t > ours),
    }
}

// ---- positions ----

fn line(p: Seen<'_>) -> Option<Line> {
    if p.facts.system_identifier.is_empty() {
        return None;
    }
    Some(Line {
        node: p.node.name.clone(),
        system_identifier: p.facts.system_identifier.clone(),
        timeline: p.facts.timeline?,
    })
}

/// The furthest position the standby holds. After a restart the receive position begins at a
/// segment's start, behind what has been replayed.
fn position(standby: &PostgresqlFacts) -> Option<u64> {
    let flushed = standby.wal_receiver.as_ref().and_then(|r| r.flushed_lsn);
    standby.receive_lsn.max(flushed).max(standby.replay_lsn)
}

fn remember_positions(
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
fn sample(target: &PostgresqlTarget, p: Seen<'_>) -> Option<Sample> {
    if target.heartbeat() == Heartbeat::TransactionId {
        p.facts.heartbeat_at.as_ref()?;
        return Some(Sample { at: p.asked_at, lsn: p.facts.heartbeat_lsn? });
    }
    Some(Sample { at: p.asked_at, lsn: p.facts.current_lsn? })
}

// ---- the link ----

fn link(primary: Option<Seen<'_>>, standby: Option<Seen<'_>>, comparable: bool, findings: &mut Vec<Finding>) -> Link {
    let receiver = standby.filter(|s| !s.facts.limited_view).map(|s| receiver_problem(&s));
    let sender = primary.filter(|p| !p.facts.limited_view).map(|p| sender_problem(&p, standby));
    let severed = matches!(receiver, Some(Some(_))) || matches!(sender, Some(Some(_)));
    findings.extend(receiver.flatten());
    findings.extend(sender.flatten());
    match (severed, comparable) {
        (true, _) => Link::Severed,
        (false, true) => Link::Live,
        (false, false) => Link::Unknown,
    }
}

fn receiver_problem(s: &Seen<'_>) -> Option<Finding> {
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
fn message_age(facts: &PostgresqlFacts, receiver: &WalReceiver) -> Option<SignedDuration> {
    let age = from_pb(facts.server_time.as_ref())?.duration_since(from_pb(receiver.last_message_receipt_at.as_ref())?);
    (age >= -CLOCK_TOLERANCE).then(|| age.max(SignedDuration::ZERO))
}

fn sender_problem(p: &Seen<'_>, standby: Option<Seen<'_>>) -> Option<Finding> {
    let to_a_standby = |s: &&crate::pb::observation::v1::WalSender| {
        s.state != "backup" && !NOT_A_STANDBY.contains(&s.application_name.as_str())
    };
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

// ---- replay and slots ----

fn replay(standby: &PostgresqlFacts) -> Vec<Finding> {
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

fn slots(primary: &PostgresqlFacts, receiver: Option<&WalReceiver>) -> Vec<Finding> {
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

// ---- results ----

fn sides(
    spec: &ResourceSpec,
    looks: &[Look<'_>],
    primary_seen: bool,
    standby_seen: bool,
    observed_at: Timestamp,
    knowledge: &Knowledge,
) -> Vec<Side> {
    looks
        .iter()
        .map(|l| {
            let expected = match (primary_seen, standby_seen) {
                (true, false) => Role::Standby,
                (false, true) => Role::Primary,
                _ => knowledge.role_of(&l.node.name).unwrap_or(if l.node.site == spec.primary_site {
                    Role::Primary
                } else {
                    Role::Standby
                }),
            };
            let own = l.answer.and_then(|a| a.facts.in_recovery).map(|r| if r { Role::Standby } else { Role::Primary });
            Side {
                node: l.node.name.clone(),
                site: l.node.site.clone(),
                role: own.unwrap_or(expected),
                seen: own.is_some(),
                unseen_for: if own.is_some() {
                    Some(SignedDuration::ZERO)
                } else {
                    knowledge.unseen_for(&l.node.name, observed_at)
                },
            }
        })
        .collect()
}

fn marker(seen: Seen<'_>, role: Role) -> Marker {
    let lsn = match role {
        Role::Primary => seen.facts.current_lsn,
        Role::Standby => position(seen.facts),
    };
    let by_node = from_pb(seen.facts.server_time.as_ref());
    Marker {
        node: seen.node.name.clone(),
        site: seen.node.site.clone(),
        system_identifier: seen.facts.system_identifier.clone(),
        timeline: seen
            .facts
            .wal_receiver
            .as_ref()
            .map(|r| r.received_timeline)
            .filter(|t| *t != 0)
            .or(seen.facts.timeline)
            .unwrap_or(0),
        lsn: lsn.map(lsn_text).unwrap_or_default(),
        read_at: Some(to_pb(by_node.unwrap_or(seen.read_at))),
        clock: if by_node.is_some() { "node" } else { "collector" }.into(),
        role: role.word().into(),
    }
}
