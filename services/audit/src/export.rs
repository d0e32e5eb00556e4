//! Exports: streamed in pieces, in constant memory, up to a fixed position of the log.

use futures::{Stream, stream};
use muster_domain::{
    TenantId,
    pb::audit::v1::{ExportEventsResponse, ExportFormat},
};
use muster_eventlog::Database;
use muster_runtime::status::internal;
use tonic::Status;

use crate::{filter::Filter, format, query};

/// Rows of one piece: a few hundred KiB, well below the limit of a message.
const PIECE: u32 = 500;

/// Where an export has come to.
struct Cursor {
    db: Database,
    tenant: TenantId,
    filter: Filter,
    format: ExportFormat,
    through: u64,
    after: u64,
    begun: bool,
    done: bool,
}

/// The pieces of one export. The last one ends with the last record at or before `through`.
pub(crate) fn pieces(
    db: Database,
    tenant: TenantId,
    filter: Filter,
    format: ExportFormat,
    through: u64,
) -> impl Stream<Item = Result<ExportEventsResponse, Status>> {
    let cursor = Cursor { db, tenant, filter, format, through, after: 0, begun: false, done: false };
    stream::unfold(cursor, |mut cursor| async move {
        if cursor.done {
            return None;
        }
        let piece = next_piece(&mut cursor).await;
        cursor.done |= piece.is_err();
        Some((piece, cursor))
    })
}

async fn next_piece(cursor: &mut Cursor) -> Result<ExportEventsResponse, Status> {
    if !cursor.begun {
        cursor.begun = true;
        if cursor.format == ExportFormat::Csv {
            let chunk = format::csv_header().map_err(|e| internal(&e))?;
            return Ok(ExportEventsResponse { chunk });
        }
    }
    let mut records = query::records(&cursor.db, &cursor.tenant, &cursor.filter, false, Some(cursor.after), PIECE)
        .await
        .map_err(|e| internal(&e))?;
    cursor.done = records.len() < PIECE as usize;
    if let Some(last) = records.last() {
        cursor.after = last.sequence;
        cursor.done |= last.sequence >= cursor.through;
    }
    records.retain(|record| record.sequence <= cursor.through);
    let chunk = match cursor.format {
        ExportFormat::Csv => format::csv(&records),
        ExportFormat::Json | ExportFormat::Oscal | ExportFormat::Unspecified => format::json_lines(&records),
    };
    Ok(ExportEventsResponse { chunk: chunk.map_err(|e| internal(&e))? })
}
