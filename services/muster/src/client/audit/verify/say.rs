//! What was verified, in words and as JSON.

use jiff::Timestamp;
use muster_tlog::verify::{Finding, Report, Severity};
use serde_json::{Value, json};

use crate::client::{
    error::CliError,
    exit::Exit,
    output::{Screen, style::Tone},
};

pub(super) const OFFLINE: &str = "by the keys that you gave";

/// `trusted`: where the trust in the log's key comes from.
pub(super) fn report(report: &Report, trusted: &str, screen: &Screen) -> Result<Exit, CliError> {
    let good = !report.findings.is_broken();
    if screen.is_table() {
        for_people(report, trusted, good, screen)?;
    } else {
        screen.value(&for_programs(report, trusted, good))?;
    }
    Ok(if good { Exit::Done } else { Exit::Failed })
}

fn for_people(report: &Report, trusted: &str, good: bool, screen: &Screen) -> Result<(), CliError> {
    if let Some(judgement) = &report.judgement {
        let checkpoint = &judgement.checkpoint;
        screen.field("log", checkpoint.origin.as_str())?;
        screen.field("checkpoint", format!("{} leaves, root {}", checkpoint.size, checkpoint.root))?;
        let keys: Vec<String> = judgement.signed_by.iter().map(|key| key.id().to_string()).collect();
        screen.field("signed", format!("with key {}, {trusted}", keys.join(" and ")))?;
        for cosigned in &judgement.cosigned_by {
            screen.field("witnessed", format!("by {} at {}", cosigned.witness, at(cosigned.unix_seconds)))?;
        }
    }
    screen.field("verified", counts(report).join(", "))?;
    for finding in report.findings.iter() {
        let (tone, word) = match finding.severity() {
            Severity::Broken => (Tone::Bad, "BROKEN"),
            Severity::Notice => (Tone::Warning, "notice"),
        };
        screen.line(&format!(
            "{}  {}",
            screen.paint(tone, word),
            super::super::super::output::table::clean(&finding.to_string())
        ))?;
    }
    if report.findings.more() > 0 {
        screen.line(&format!("… and {} more", report.findings.more()))?;
    }
    let verdict = if good {
        screen.paint(Tone::Good, "GOOD: everything that was looked at is as it was logged")
    } else {
        screen.paint(Tone::Bad, "NOT GOOD: the record, or the proof of it, is not what it should be")
    };
    screen.line(&verdict)
}

/// What was looked at; nothing that was not.
fn counts(report: &Report) -> Vec<String> {
    let of = |count: u64, one: &str, many: &str| {
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
    };
    let parts = [
        of(report.leaves, "leaf", "leaves"),
        of(report.tiles, "tile", "tiles"),
        of(report.events_compared, "event against its leaf", "events against their leaves"),
        of(report.gaps, "gap", "gaps"),
        of(report.proofs, "proof", "proofs"),
        of(report.older_checkpoints, "older checkpoint", "older checkpoints"),
        of(report.documents, "signed document", "signed documents"),
        of(report.files, "file of the manifest", "files of the manifest"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { vec!["nothing".to_owned()] } else { parts }
}

fn at(unix_seconds: u64) -> String {
    let time = i64::try_from(unix_seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an impossible time".to_owned(), |time| time.to_string())
}

fn for_programs(report: &Report, trusted: &str, good: bool) -> Value {
    let checkpoint = report.judgement.as_ref().map(|judgement| {
        json!({
            "origin": judgement.checkpoint.origin,
            "size": judgement.checkpoint.size,
            "root": judgement.checkpoint.root.to_hex(),
            "signedBy": judgement.signed_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "trusted": trusted,
            "witnessed": judgement.quorum,
            "cosignedBy": judgement.cosigned_by.iter().map(|one| json!({
                "witness": one.witness, "at": at(one.unix_seconds),
            })).collect::<Vec<_>>(),
        })
    });
    json!({
        "good": good,
        "checkpoint": checkpoint,
        "verified": {
            "leaves": report.leaves,
            "events": report.events,
            "gaps": report.gaps,
            "tiles": report.tiles,
            "eventsCompared": report.events_compared,
            "proofs": report.proofs,
            "olderCheckpoints": report.older_checkpoints,
            "documents": report.documents,
            "files": report.files,
        },
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "moreFindings": report.findings.more(),
    })
}

fn finding(finding: &Finding) -> Value {
    let severity = match finding.severity() {
        Severity::Broken => "broken",
        Severity::Notice => "notice",
    };
    json!({
        "code": finding.code(),
        "severity": severity,
        "sequence": finding.sequence(),
        "text": finding.to_string(),
    })
}
