//! Whether transactions flow, whether they are applied, and whether all of them do.

use super::answers::Seen;
use crate::pb::observation::v1::{MariadbFacts, MariadbReplica};
use crate::readiness::code::{Code, Finding};
use crate::readiness::replication::Link;

/// The server's own number, believed only behind running threads, and only as a warning: above this a failover waits.
const APPLY_LAG_SECONDS: u64 = 60;

/// Threads first: the lag in seconds reads 0 behind a dead receiver.
pub(super) fn link(
    primary: Option<Seen<'_>>,
    standby: Option<Seen<'_>>,
    comparable: bool,
    findings: &mut Vec<Finding>,
) -> Link {
    let Some(standby) = standby else { return Link::Unknown };
    let mut problems = receiver(&standby);
    problems.extend(primary.and_then(|primary| follows_other(&primary, &standby)));
    let severed = problems.iter().any(|problem| problem.code != Code::ReceiverConnecting);
    let connecting = problems.iter().any(|problem| problem.code == Code::ReceiverConnecting);
    findings.extend(problems);
    match (severed, connecting || !comparable) {
        (true, _) => Link::Severed,
        (false, true) => Link::Unknown,
        (false, false) => Link::Live,
    }
}

fn receiver(s: &Seen<'_>) -> Vec<Finding> {
    let name = s.node.name;
    let Some(replica) = &s.facts.replica else {
        let text = format!("{name} receives nothing: replication is not set up.");
        return vec![Finding::new(Code::ReceiverMissing, text)];
    };
    let mut problems = Vec::new();
    let io = replica.io_running.as_str();
    let why = told(replica.last_io_errno, &replica.last_io_error);
    match io {
        "Yes" => {}
        // Neither yes nor no. With an error it has tried and failed.
        "Connecting" | "Preparing" if replica.last_io_errno == 0 => {
            let text = format!("{name}: the receiver is '{io}': whether it receives is not known yet.");
            problems.push(Finding::new(Code::ReceiverConnecting, text));
        }
        _ => {
            let text = format!("{name}: the receiver is '{io}', not running{why}.");
            problems.push(Finding::new(Code::ReceiverNotStreaming, text));
        }
    }
    if replica.sql_running != "Yes" {
        let why = told(replica.last_sql_errno, &replica.last_sql_error);
        let text = format!("{name}: the applier is '{}', not running{why}.", replica.sql_running);
        problems.push(Finding::new(Code::ApplierStopped, text));
    }
    if replica.using_gtid == "No" {
        let text = format!("{name} replicates by file and offset, not by GTID: its position cannot be compared.");
        problems.push(Finding::new(Code::GtidNotUsed, text));
    }
    problems
}

fn told(number: u32, text: &str) -> String {
    if number == 0 && text.is_empty() { String::new() } else { format!(" (error {number}: {text})") }
}

fn follows_other(p: &Seen<'_>, s: &Seen<'_>) -> Option<Finding> {
    let (own, replica) = (p.facts.server_id?, s.facts.replica.as_ref()?);
    // 0: it has not connected yet.
    let source = replica.source_server_id.filter(|id| *id != 0 && *id != own)?;
    let text = format!(
        "{} follows the server with server_id {source} at {}:{}, and {} has {own}.",
        s.node.name, replica.source_host, replica.source_port, p.node.name
    );
    Some(Finding::new(Code::FollowsOther, text))
}

/// What a standby does with what it receives.
pub(super) fn standby(s: Seen<'_>) -> Vec<Finding> {
    let mut findings = settings(s.node.name, s.facts);
    if s.facts.read_only == Some(false) {
        let text = format!("{} is a standby and accepts writes: read_only is off.", s.node.name);
        findings.push(Finding::new(Code::StandbyWritable, text));
    }
    if !s.facts.replication_filters.is_empty() {
        let text = format!("{} leaves out a part: {}.", s.node.name, s.facts.replication_filters.join(", "));
        findings.push(Finding::new(Code::ReplicationFiltered, text));
    }
    if let Some(replica) = &s.facts.replica {
        findings.extend(applying(s.node.name, replica));
    }
    findings
}

fn applying(name: &str, replica: &MariadbReplica) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(delay) = replica.sql_delay.filter(|delay| *delay > 0) {
        let text = format!("The standby {name} applies on purpose {delay} s late.");
        let finding = Finding::new(Code::ReplayDelayed, text);
        findings.push(finding.measured("sql_delay_seconds", Some(delay as f64), Some(0.0), "s"));
    }
    let running = replica.io_running == "Yes" && replica.sql_running == "Yes";
    if let Some(behind) = replica.seconds_behind.filter(|behind| running && *behind > APPLY_LAG_SECONDS) {
        let text = format!("{name} applies what was written {behind} s ago: a failover would have to wait for it.");
        let limit = Some(APPLY_LAG_SECONDS as f64);
        findings.push(Finding::new(Code::ApplyLag, text).measured("seconds_behind", Some(behind as f64), limit, "s"));
    }
    findings
}

/// What either side must have set, so that roles can change and positions can be compared.
pub(super) fn settings(name: &str, facts: &MariadbFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (setting, value) in [("log_bin", facts.log_bin), ("log_slave_updates", facts.log_slave_updates)] {
        if value == Some(false) {
            let text = format!("{name}: {setting} is off, so nobody could replicate from it after a change of roles.");
            findings.push(Finding::new(Code::LogUpdatesOff, text));
        }
    }
    if facts.gtid_strict_mode == Some(false) {
        let text = format!("{name}: gtid_strict_mode is off, so positions may hide transactions.");
        findings.push(Finding::new(Code::GtidNotStrict, text));
    }
    findings
}
