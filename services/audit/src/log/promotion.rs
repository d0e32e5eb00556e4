//! A stream that is not the one that was logged: it was promoted at another site, or restored, and lacks a part.
//!
//! What log and stream both have must agree; anything else is an attack, and the signer stops. What the stream lost is
//! declared, and a new epoch names the largest checkpoint of the old one that anybody knows. So our own loss looks like
//! a declared loss and never like two trees.

use muster_domain::{
    TenantId,
    audit::AuditLog,
    pb::audit::v1::{CheckpointRef, LogGapDetected},
};
use muster_eventlog::StreamState;
use muster_tlog::{Checkpoint, Leaf};

use super::{
    begin::{Before, Begun, logged, split},
    compare::{self, Finding},
    epoch::{self, Next},
    fault::Fault,
    leaves::Leaves,
    parts::Parts,
    policy, publish, record,
    vouch::Copies as _,
};

/// The leaves before the end that are compared with the stream before anything is signed. All of them are compared by
/// `muster audit fsck`, and once a day.
const LOOK_BACK: u64 = 1024;
/// Gap leaves at the end of a log are followed back so far to find its last event.
const LONGEST_GAP: u64 = 1024;

/// Whether the stream's beginning or end is not what was logged. The middle is looked at when it is.
pub(crate) async fn differs(
    parts: &Parts,
    tenant: &TenantId,
    before: &Before,
    leaves: &Leaves,
    stream: &StreamState,
) -> Result<bool, Fault> {
    if front(before, leaves, stream).await?.is_some() {
        return Ok(true);
    }
    let size = before.state.size;
    let indexes = size.saturating_sub(LOOK_BACK)..size;
    let findings = compare::with_stream(&parts.context.log, tenant, &before.files, leaves, indexes).await?;
    match findings.into_iter().next() {
        Some(Finding::File { file, text }) => Err(Fault::Damaged { file, why: text }),
        finding => Ok(finding.is_some()),
    }
}

/// Declares what is lost and opens the next epoch, or finds two trees. Never goes on with the old one.
pub(crate) async fn go_on(
    parts: &Parts,
    tenant: &TenantId,
    log: &AuditLog,
    before: &Before,
    stream: &StreamState,
) -> Result<Begun, Fault> {
    tracing::error!(%tenant, origin = before.opened.origin, "AUDIT ALARM: the stream is not the one that was logged; comparing all of it");
    let (leaves, size) = (Leaves::new(&before.opened), before.state.size);
    let mut lost = Vec::new();
    let front = front(before, &leaves, stream).await?;
    lost.extend(front);
    // The genesis leaf is not from the stream, and was believed with the root.
    let from = front.and_then(|(_, last)| leaves.index_of(last + 1)).unwrap_or(1);
    let findings = compare::with_stream(&parts.context.log, tenant, &before.files, &leaves, from..size).await?;
    if let Some(Finding::File { file, text }) = findings.first() {
        return Err(Fault::Damaged { file: file.clone(), why: text.clone() });
    }
    if let Some(first) = findings.first() {
        match replaced_from(parts, tenant, before, &leaves, first).await? {
            Some(sequence) => lost.push((sequence, leaves.next_sequence(size) - 1)),
            None => return Err(split(&before.state, None, "stream", first.to_string())),
        }
    }
    if lost.is_empty() {
        let now = record::load(&parts.context, tenant).await?;
        if now.epochs.iter().any(|epoch| epoch.epoch >= before.opened.epoch) {
            return Err(Fault::Log("log and stream agree after all; looking again".to_owned()));
        }
    }
    for (first_sequence, last_sequence) in &lost {
        declare(parts, tenant, before, *first_sequence, *last_sequence).await?;
    }
    let next = Next {
        epoch: before.opened.epoch + 1,
        reason: epoch::PROMOTED,
        first_sequence: stream.first_sequence.max(1),
        previous: Some(largest_known(parts, before).await),
    };
    epoch::open(parts, tenant, log, next).await?;
    Err(Fault::NewEpoch)
}

async fn declare(parts: &Parts, tenant: &TenantId, before: &Before, first: u64, last: u64) -> Result<(), Fault> {
    let reason = format!("logged in epoch {} and not in the stream any more", before.opened.epoch);
    tracing::error!(%tenant, first, last, reason, "AUDIT ALARM: entries of the record are lost");
    metrics::counter!("muster_audit_lost_entries_total", "tenant" => tenant.as_str().to_owned())
        .increment(last - first + 1);
    let gap = LogGapDetected { first_sequence: first, last_sequence: last, reason };
    record::gap(&parts.context, tenant, &before.opened.origin, &gap).await
}

/// The logged sequences before the stream's first entry: `None` if they are missing since long and logged so.
async fn front(before: &Before, leaves: &Leaves, stream: &StreamState) -> Result<Option<(u64, u64)>, Fault> {
    let last = stream.first_sequence.max(1) - 1;
    let Some(index) = leaves.index_of(last).filter(|index| *index < before.state.size) else { return Ok(None) };
    let is_gap = matches!(logged(&before.files, index, before.state.size).await?, Leaf::Gap(_));
    Ok((!is_gap).then_some((leaves.first_sequence(), last)))
}

/// Where the stream's end was lost, if that is what the first difference is: everything that it has from there on was
/// stored after all that was logged. An entry that was edited in its place is older, or has older ones after it.
async fn replaced_from(
    parts: &Parts,
    tenant: &TenantId,
    before: &Before,
    leaves: &Leaves,
    first: &Finding,
) -> Result<Option<u64>, Fault> {
    let sequence = match first {
        Finding::Entry { sequence, .. } => *sequence,
        Finding::Shorter { last_sequence, .. } => *last_sequence + 1,
        Finding::Genesis { .. } | Finding::File { .. } | Finding::Signature(_) => return Ok(None),
    };
    let Some(newest) = newest_time(before).await? else { return Ok(None) };
    let end = leaves.next_sequence(before.state.size);
    let mut entries = parts.context.log.raw(tenant, sequence - 1);
    while let Some(batch) = entries.next_until_caught_up().await? {
        for entry in batch {
            if entry.sequence >= end {
                return Ok(Some(sequence));
            }
            if entry.stored_at.as_nanosecond() <= i128::from(newest) {
                return Ok(None);
            }
        }
    }
    Ok(Some(sequence))
}

/// When the last event that was logged had been stored.
async fn newest_time(before: &Before) -> Result<Option<u64>, Fault> {
    let size = before.state.size;
    for index in (size.saturating_sub(LONGEST_GAP)..size).rev() {
        if let Leaf::Event(event) = logged(&before.files, index, size).await? {
            return Ok(Some(event.time_ns));
        }
    }
    Ok(None)
}

/// The largest checkpoint of this epoch that its signer, its store or an anchor knows, and the log's key signed.
async fn largest_known(parts: &Parts, before: &Before) -> CheckpointRef {
    let mut known = before.state.checkpoint();
    let anchored = parts.anchors.largest(&known.origin).await;
    let mut notes: Vec<Vec<u8>> = anchored.into_iter().map(|(note, _)| note.into_bytes()).collect();
    for file in [publish::CHECKPOINT, publish::PENDING] {
        notes.extend(before.files.read(file).await.ok().flatten().map(|note| note.to_vec()));
    }
    let keys = policy::keys_of(&before.files).await;
    for note in notes {
        // A note that somebody else put there says nothing.
        let Ok((found, ..)) = Checkpoint::open(&note, &keys) else { continue };
        if found.origin == known.origin && found.size > known.size {
            known = CheckpointRef { origin: found.origin, size: found.size, root: found.root.to_hex() };
        }
    }
    known
}
