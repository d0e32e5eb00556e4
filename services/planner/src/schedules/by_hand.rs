//! A drill that somebody asked for by hand: the schedules that wait for such a proof hear of it.

use std::convert::Infallible;

use jiff::Timestamp;
use muster_domain::{
    AggregateId, TenantId,
    ids::derived_id,
    pb::inventory::v1::{Document, Kind},
    pb::request::v1::RequestOpened,
    schedule::{self, Schedule},
};
use muster_eventlog::{ReactError, Record, wait_for};

use super::{Schedules, declared::spec_of, look::SCHEDULES, schedule_id};
use crate::{
    projection::{PROJECTION, TABLES_BEHIND},
    query::{self, Cursor},
};

/// Schedules read at a time.
const PAGE: u32 = 500;

impl Schedules {
    /// Records the success with every schedule that would have asked for the same, and looks at each of them.
    pub(super) async fn prove_by_hand(
        &self,
        record: &Record,
        opened: &RequestOpened,
        succeeded_at: Timestamp,
    ) -> Result<(), ReactError> {
        if !schedule::is_drill(opened) {
            return Ok(());
        }
        for name in self.that_wait_for(record, opened).await? {
            let Ok(id) = schedule_id(&name) else { continue };
            self.record_by_hand(record, &name, &id, opened, succeeded_at).await?;
            let now = self.ctx.clock.now();
            self.look(&record.tenant, &name, Some(record.event_id), now).await?;
        }
        Ok(())
    }

    /// Decided on the log: the tables only said where to look.
    async fn record_by_hand(
        &self,
        record: &Record,
        name: &str,
        id: &AggregateId,
        opened: &RequestOpened,
        succeeded_at: Timestamp,
    ) -> Result<(), ReactError> {
        let tenant: &TenantId = &record.tenant;
        let Some(declared) = self.declared(tenant, name).await? else { return Ok(()) };
        let declaration = declared.as_declaration(tenant);
        let request_id = &opened.request_id;
        let event_id = derived_id(&[SCHEDULES, tenant.as_str(), name, "by-hand", request_id]);
        let correlation = request_id.parse().unwrap_or(event_id);
        let meta = self.ctx.service_meta("planner", event_id, correlation, Some(record.event_id));
        let decide = |schedule: &Schedule| {
            Ok::<_, Infallible>(schedule::proved_by_hand(schedule, &declaration, opened, succeeded_at))
        };
        self.ctx.log.decide::<Schedule, _>(tenant, id, &meta, decide).await?;
        Ok(())
    }

    /// Those in use that were declared before the drill succeeded.
    async fn that_wait_for(&self, record: &Record, opened: &RequestOpened) -> Result<Vec<String>, ReactError> {
        let (db, tenant) = (&self.ctx.db, &record.tenant);
        let waited = wait_for(db, PROJECTION, tenant, record.sequence, TABLES_BEHIND).await;
        waited.map_err(|error| ReactError::Unavailable(error.to_string()))?;
        let (mut after, mut found): (Option<Cursor>, Vec<String>) = (None, Vec::new());
        loop {
            let page = query::list(db, tenant, Some(Kind::Schedule), false, after.as_ref(), PAGE).await?;
            let fits = |document: &&Document| {
                spec_of(document).is_some_and(|spec| schedule::is_of_schedule(spec, &document.name, opened))
            };
            let whole = usize::try_from(PAGE).unwrap_or(usize::MAX);
            found.extend(page.iter().take(whole).filter(fits).map(|document| document.name.clone()));
            // The list has one more than was asked for, if there is one.
            match page.iter().take(whole).next_back().filter(|_| page.len() > whole) {
                Some(last) => after = Some(("schedule".to_owned(), last.name.clone())),
                None => return Ok(found),
            }
        }
    }
}
