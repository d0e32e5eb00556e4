//! Records as CSV (RFC 4180) and JSON Lines.

use muster_domain::{pb::audit::v1::AuditRecord, time::from_pb};

/// The columns of the CSV form, for ever in this order; new ones are added at the end.
pub(crate) const COLUMNS: [&str; 14] = [
    "seq",
    "time",
    "event_id",
    "type",
    "actor",
    "request",
    "resource",
    "site",
    "outcome",
    "reason",
    "policy",
    "payload_sha256",
    "actor_name",
    "stored_at",
];

#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("a record cannot be written as CSV: {0}")]
    Csv(#[from] csv::Error),
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the CSV buffer could not be taken: {0}")]
    Buffer(String),
}

pub(crate) fn csv_header() -> Result<Vec<u8>, FormatError> {
    csv_lines(std::iter::once(COLUMNS.map(str::to_owned)))
}

pub(crate) fn csv(records: &[AuditRecord]) -> Result<Vec<u8>, FormatError> {
    csv_lines(records.iter().map(cells))
}

/// The columns of a package's CSV: those of [`COLUMNS`], and before people's names the hash of the event's leaf.
const PACKAGE_COLUMNS: usize = COLUMNS.len() + 1;
const LEAF_HASH_AT: usize = 12;

pub(crate) fn package_csv_header() -> Result<Vec<u8>, FormatError> {
    csv_lines(std::iter::once(with_leaf_hash(COLUMNS.map(str::to_owned), "leaf_hash")))
}

/// Lines of a package's CSV, each event with the hash of its leaf.
pub(crate) fn package_csv(records: &[(AuditRecord, String)]) -> Result<Vec<u8>, FormatError> {
    csv_lines(records.iter().map(|(record, leaf_hash)| with_leaf_hash(cells(record), leaf_hash)))
}

fn with_leaf_hash(cells: [String; COLUMNS.len()], leaf_hash: &str) -> Vec<String> {
    let mut row = Vec::with_capacity(PACKAGE_COLUMNS);
    row.extend(cells);
    row.insert(LEAF_HASH_AT, leaf_hash.to_owned());
    row
}

/// One JSON object a line: the record as the API shows it, with the event itself in place of its text.
pub(crate) fn json_lines(records: &[AuditRecord]) -> Result<Vec<u8>, FormatError> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, &json(record)?)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The record as the API shows it, with the event itself in place of its text.
pub(crate) fn json(record: &AuditRecord) -> Result<serde_json::Value, FormatError> {
    let mut value = serde_json::to_value(record)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("payloadJson");
        fields.insert("payload".into(), serde_json::from_str(&record.payload_json)?);
    }
    Ok(value)
}

fn csv_lines(rows: impl Iterator<Item: IntoIterator<Item: AsRef<[u8]>>>) -> Result<Vec<u8>, FormatError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    writer.into_inner().map_err(|e| FormatError::Buffer(e.to_string()))
}

fn cells(record: &AuditRecord) -> [String; 14] {
    let actor = record.actor.clone().unwrap_or_default();
    let time = |at: &Option<muster_domain::time::PbTimestamp>| {
        from_pb(at.as_ref()).map(|at| at.to_string()).unwrap_or_default()
    };
    [
        record.sequence.to_string(),
        time(&record.time),
        record.event_id.clone(),
        record.r#type.clone(),
        actor.id,
        record.request_id.clone(),
        record.resource.clone(),
        record.site.clone(),
        record.outcome.clone(),
        record.reason.clone(),
        record.policy.clone(),
        record.payload_sha256.clone(),
        actor.name,
        time(&record.stored_at),
    ]
    .map(harmless)
}

/// A cell that a spreadsheet would run as a formula gets an apostrophe in front.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn record(reason: &str) -> AuditRecord {
        AuditRecord { sequence: 7, reason: reason.into(), payload_json: "{\"denied\":{}}".into(), ..Default::default() }
    }

    #[test]
    fn csv_is_quoted_and_runs_nothing() {
        let text = String::from_utf8(csv(&[record("=cmd()\",x\nnext")]).unwrap()).unwrap();
        assert!(text.contains("\"'=cmd()\"\",x\nnext\""), "{text}");
        assert!(text.ends_with("\r\n"));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        assert_eq!(reader.records().next().unwrap().unwrap().len(), COLUMNS.len());
    }

    #[test]
    fn json_holds_the_event_itself() {
        let lines = json_lines(&[record("a"), record("b")]).unwrap();
        let values: Vec<serde_json::Value> = lines
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        assert_eq!(values.len(), 2);
        assert!(values[0]["payload"]["denied"].is_object() && values[0].get("payloadJson").is_none());
    }
}
