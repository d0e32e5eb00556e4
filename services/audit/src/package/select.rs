//! Which events a package holds, read from the table in pages: never more than one page, or one run, in memory.

use std::collections::BTreeSet;

use muster_domain::{TenantId, pb::audit::v1::AuditRecord};
use muster_eventlog::Database;
use prost::Message;
use sqlx::Row;

use crate::{
    filter::Filter,
    query::{self, QueryError},
};

/// Records read at once.
pub(crate) const PAGE: u32 = 500;
/// Runs looked up at once.
const RUNS: i64 = 100;
/// The most events one run is read with. Runs have a few dozen; the executor's own limits keep them far below this.
const MAX_RUN_EVENTS: i64 = 20_000;

/// What one export selects: the filter's events from `first` up to `last`.
pub(crate) struct Selection<'s> {
    pub(crate) db: &'s Database,
    pub(crate) tenant: &'s TenantId,
    pub(crate) filter: &'s Filter,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Selection<'_> {
    /// The next selected records after a sequence; empty at the end.
    pub(crate) async fn page(&self, after: u64) -> Result<Vec<AuditRecord>, QueryError> {
        let after = after.max(self.first.saturating_sub(1));
        let mut records = query::records(self.db, self.tenant, self.filter, false, Some(after), PAGE).await?;
        records.retain(|record| record.sequence <= self.last);
        Ok(records)
    }

    /// Requests with a run, in the order in which the runs began: `(sequence of the beginning, request)`.
    pub(crate) async fn runs(&self, after: u64) -> Result<Vec<(u64, AuditRecord)>, QueryError> {
        const BEGINNINGS: &str = "SELECT sequence, record FROM audit.record
            WHERE tenant = $1 AND type = 'execution.started' AND sequence > $2 AND sequence <= $3 AND sequence >= $4
            ORDER BY sequence LIMIT $5";
        let mut tx = self.db.tenant_tx(self.tenant).await?;
        let rows = sqlx::query(BEGINNINGS)
            .bind(self.tenant.as_str())
            .bind(after.cast_signed())
            .bind(self.last.cast_signed())
            .bind(self.first.cast_signed())
            .bind(RUNS)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        rows.iter()
            .map(|row| {
                let record = AuditRecord::decode(row.try_get::<Vec<u8>, _>(1)?.as_slice())?;
                Ok((row.try_get::<i64, _>(0)?.cast_unsigned(), record))
            })
            .collect()
    }

    /// Every event of one request, whatever the filter says, in the order of the log.
    pub(crate) async fn of_request(&self, request_id: &str) -> Result<Vec<AuditRecord>, QueryError> {
        const OF_REQUEST: &str = "SELECT record FROM audit.record
            WHERE tenant = $1 AND request_id = $2 AND sequence >= $3 AND sequence <= $4 ORDER BY sequence LIMIT $5";
        let mut tx = self.db.tenant_tx(self.tenant).await?;
        let rows = sqlx::query(OF_REQUEST)
            .bind(self.tenant.as_str())
            .bind(request_id.to_lowercase())
            .bind(self.first.cast_signed())
            .bind(self.last.cast_signed())
            .bind(MAX_RUN_EVENTS)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        rows.iter().map(|row| Ok(AuditRecord::decode(row.try_get::<Vec<u8>, _>(0)?.as_slice())?)).collect()
    }

    /// Which of one request's events the filter selects.
    pub(crate) async fn selected_of(&self, request_id: &str) -> Result<Vec<u64>, QueryError> {
        let request_id = request_id.to_lowercase();
        if !self.filter.request_id.is_empty() && self.filter.request_id != request_id {
            return Ok(Vec::new());
        }
        let filter = Filter { request_id, ..self.filter.clone() };
        let of_run = Selection { filter: &filter, ..*self };
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = of_run.page(after).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.sequence;
            found.extend(page.iter().map(|record| record.sequence));
        }
    }

    /// All events of these types, whatever the filter says; `take` gets them in the order of the log.
    pub(crate) async fn of_types(
        &self,
        types: &[&str],
        take: &mut (dyn FnMut(AuditRecord) + Send),
    ) -> Result<(), QueryError> {
        let filter = Filter { types: types.iter().map(|pattern| (*pattern).to_owned()).collect(), ..everything() };
        let all = Selection { filter: &filter, ..*self };
        let mut after = 0;
        loop {
            let page = all.page(after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.sequence;
            page.into_iter().for_each(&mut *take);
        }
    }

    /// Which of these requests have a run.
    pub(crate) async fn with_run(&self, requests: BTreeSet<String>) -> Result<BTreeSet<String>, QueryError> {
        const STARTED: &str = "SELECT DISTINCT request_id FROM audit.record
            WHERE tenant = $1 AND type = 'execution.started' AND request_id = ANY($2) AND sequence >= $3 AND sequence <= $4";
        let mut tx = self.db.tenant_tx(self.tenant).await?;
        let rows = sqlx::query(STARTED)
            .bind(self.tenant.as_str())
            .bind(requests.into_iter().collect::<Vec<_>>())
            .bind(self.first.cast_signed())
            .bind(self.last.cast_signed())
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

fn everything() -> Filter {
    Filter {
        from_micros: None,
        to_micros: None,
        resource: String::new(),
        request_id: String::new(),
        actor: String::new(),
        types: Vec::new(),
    }
}
