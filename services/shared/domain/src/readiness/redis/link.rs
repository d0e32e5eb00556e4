//! Whether writes flow from the primary to the standby.

use super::answers::Seen;
use crate::readiness::code::{Code, Finding};
use crate::readiness::replication::Link;

/// On an idle link the primary sends a sign of life every 10 s (`repl-ping-replica-period`). The server itself waits for a
/// minute before it calls a silent link down.
const MAX_SILENCE_SECONDS: i64 = 15;

pub(super) fn link(
    primary: Option<Seen<'_>>,
    standby: Option<Seen<'_>>,
    comparable: bool,
    findings: &mut Vec<Finding>,
) -> Link {
    let receiver = standby.and_then(|s| receiver_problem(&s));
    let sender = primary.and_then(|p| sender_problem(&p, standby));
    let silent = standby.and_then(|s| silence(&s)).filter(|_| receiver.is_none());
    let severed = receiver.is_some() || sender.is_some();
    let unknown = silent.is_some() || standby.is_none_or(|s| s.facts.link_up.is_none());
    findings.extend(receiver);
    findings.extend(sender);
    findings.extend(silent);
    match (severed, unknown || !comparable) {
        (true, _) => Link::Severed,
        (false, true) => Link::Unknown,
        (false, false) => Link::Live,
    }
}

fn receiver_problem(s: &Seen<'_>) -> Option<Finding> {
    let name = s.node.name;
    if s.facts.sync_in_progress == Some(true) {
        let text = format!("{name} is just being filled from the beginning: until it is done it holds no usable copy.");
        return Some(Finding::new(Code::SyncInProgress, text));
    }
    if s.facts.link_up != Some(false) {
        return None;
    }
    let text = match s.facts.link_down_seconds {
        Some(seconds) if seconds >= 0 => format!("{name}: the link to its primary has been down for {seconds} s."),
        _ => format!("{name}: the link to its primary is down."),
    };
    Some(Finding::new(Code::ReceiverNotStreaming, text).measured(
        "link_down_seconds",
        s.facts.link_down_seconds.map(|seconds| seconds as f64),
        Some(0.0),
        "s",
    ))
}

/// `link up` behind a frozen primary: only the age of the last word from it grows.
fn silence(s: &Seen<'_>) -> Option<Finding> {
    let age = s.facts.last_io_seconds_ago;
    if age.is_some_and(|age| (0..=MAX_SILENCE_SECONDS).contains(&age)) {
        return None;
    }
    let name = s.node.name;
    let text = match age {
        Some(age) => format!("{name}: nothing has come from the primary for {age} s; it may hang."),
        None => format!("{name}: when something came from the primary is not known."),
    };
    Some(Finding::new(Code::ReceiverSilent, text).measured(
        "receiver_message_age_seconds",
        age.map(|age| age as f64),
        Some(MAX_SILENCE_SECONDS as f64),
        "s",
    ))
}

fn sender_problem(p: &Seen<'_>, standby: Option<Seen<'_>>) -> Option<Finding> {
    if p.facts.replicas.iter().any(|replica| replica.state == "online") {
        return None;
    }
    let name = p.node.name;
    match standby.filter(|s| s.facts.source_port != 0 && s.facts.source_port != p.node.port) {
        Some(s) => {
            let source = format!("{}:{}", s.facts.source_host, s.facts.source_port);
            let text = format!("{} follows {source}, and {name} sends to nobody.", s.node.name);
            Some(Finding::new(Code::FollowsOther, text))
        }
        None => Some(Finding::new(Code::SenderMissing, format!("{name} sends to no replica."))),
    }
}

/// What a standby is set to.
pub(super) fn standby(s: Seen<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if s.facts.read_only == Some(false) {
        let text = format!("{} is a replica and accepts writes: replica-read-only is off.", s.node.name);
        findings.push(Finding::new(Code::StandbyWritable, text));
    }
    findings
}
