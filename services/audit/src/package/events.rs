//! The events of a package: as JSON Lines with the stored bytes, and as CSV.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use muster_domain::pb::audit::v1::AuditRecord;
use muster_eventlog::{EventLog, RawEntry, RawFollower};
use muster_tlog::verify::StoredEvent;
use serde_json::{Map, Value, json};

use super::{
    PackageError,
    log_at::{Leaves, LogAt},
    select::Selection,
    sink::{Sink, Written},
};
use crate::format;

/// A jump in the record over more entries than this is not read through.
const READ_THROUGH: u64 = 2_000;

/// How many events of each type.
pub(crate) type Counts = BTreeMap<String, u64>;

/// `events.jsonl`: for each event what is stored (so that its leaf can be derived again), its leaf, and what it says.
pub(crate) async fn json_lines(
    sink: &mut Sink,
    log: &LogAt,
    record: &EventLog,
    selection: &Selection<'_>,
) -> Result<(Written, Counts), PackageError> {
    sink.begin("events.jsonl");
    let (mut leaves, mut stored) = (Leaves::new(log), StoredBytes::new(record, selection));
    let (mut counts, mut after) = (Counts::new(), 0);
    loop {
        let page = selection.page(after).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        for event in page {
            *counts.entry(event.r#type.clone()).or_default() += 1;
            let Some((leaf, leaf_hash)) = leaves.of(event.sequence).await? else { continue };
            let entry = stored.at(event.sequence).await?;
            let mut line = serde_json::to_vec(&line(event, entry, &leaf, &leaf_hash, log)?)?;
            line.push(b'\n');
            sink.write(&line).await?;
        }
    }
    Ok((sink.end().await?, counts))
}

fn line(
    event: AuditRecord,
    entry: Option<RawEntry>,
    leaf: &[u8],
    leaf_hash: &str,
    log: &LogAt,
) -> Result<Value, PackageError> {
    let mut fields = match entry {
        Some(entry) => match serde_json::to_value(stored_event(entry))? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        },
        None => {
            // It was logged and the stream has it no more: said, and found by every verifier.
            Map::from_iter([
                ("seq".into(), json!(event.sequence)),
                ("missing".into(), json!("the stream has no such entry")),
            ])
        }
    };
    fields.insert("index".into(), json!(log.index_of(event.sequence)));
    fields.insert("leaf".into(), json!(String::from_utf8_lossy(leaf)));
    fields.insert("leaf_hash".into(), json!(leaf_hash));
    fields.insert("record".into(), format::json(&event)?);
    Ok(Value::Object(fields))
}

/// The entry as a line of `events.jsonl` has it.
pub(crate) fn stored_event(entry: RawEntry) -> StoredEvent {
    // Between names there is no order; values of one name keep theirs. Sorted, so that two exports are alike.
    let mut headers = entry.headers;
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    StoredEvent {
        stream: muster_domain::audit::AuditLog::ID.to_owned(),
        seq: entry.sequence,
        subject: entry.subject,
        time_ns: u64::try_from(entry.stored_at.as_nanosecond()).unwrap_or_default(),
        headers,
        payload_b64: BASE64.encode(&entry.payload),
    }
}

/// `events.csv`, with the hash of each leaf.
pub(crate) async fn csv(sink: &mut Sink, log: &LogAt, selection: &Selection<'_>) -> Result<Written, PackageError> {
    sink.begin("events.csv");
    sink.write(&format::package_csv_header()?).await?;
    let (mut leaves, mut after) = (Leaves::new(log), 0);
    loop {
        let page = selection.page(after).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        let mut rows = Vec::with_capacity(page.len());
        for event in page {
            if let Some((_, hash)) = leaves.of(event.sequence).await? {
                rows.push((event, hash));
            }
        }
        sink.write(&format::package_csv(&rows)?).await?;
    }
    sink.end().await
}

/// The stored entries, read onwards beside the table.
struct StoredBytes<'s> {
    log: &'s EventLog,
    selection: &'s Selection<'s>,
    follower: Option<RawFollower>,
    waiting: std::vec::IntoIter<RawEntry>,
    /// The last entry that was handed out or passed by.
    position: u64,
}

impl<'s> StoredBytes<'s> {
    fn new(log: &'s EventLog, selection: &'s Selection<'s>) -> Self {
        Self { log, selection, follower: None, waiting: Vec::new().into_iter(), position: 0 }
    }

    /// The entry with this sequence; ask in rising order.
    async fn at(&mut self, sequence: u64) -> Result<Option<RawEntry>, PackageError> {
        if sequence > self.position + READ_THROUGH {
            (self.follower, self.waiting) = (None, Vec::new().into_iter());
        }
        loop {
            for entry in self.waiting.by_ref() {
                self.position = entry.sequence;
                if entry.sequence == sequence {
                    return Ok(Some(entry));
                }
                if entry.sequence > sequence {
                    let rest: Vec<RawEntry> = std::iter::once(entry).chain(self.waiting.by_ref()).collect();
                    self.waiting = rest.into_iter();
                    return Ok(None);
                }
            }
            let (log, tenant) = (self.log, self.selection.tenant);
            let follower = self.follower.get_or_insert_with(|| log.raw(tenant, sequence - 1));
            match follower.next_until_caught_up().await? {
                Some(batch) => self.waiting = batch.into_iter(),
                None => return Ok(None),
            }
        }
    }
}
