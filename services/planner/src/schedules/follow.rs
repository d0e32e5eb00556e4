//! What a schedule hears of: that it was declared, that its request was decided or run. Each is a reason to look.

use std::sync::Arc;

use async_trait::async_trait;
use muster_domain::{
    Aggregate, TenantId,
    execution::Execution,
    inventory::Declared,
    pb::execution::v1::{ExecutionEvent, execution_event::Event as Run},
    pb::inventory::v1::{InventoryEvent, Kind, inventory_event::Event as Inventory},
    pb::request::v1::{RequestEvent, RequestOpened, request_event::Event as Asked},
    request::Request,
    time::from_pb,
};
use muster_eventlog::{LogError, ReactError, Reactor, Record};

use super::{Schedules, look::SCHEDULES};

pub(crate) struct Follow(pub(crate) Arc<Schedules>);

#[async_trait]
impl Reactor for Follow {
    fn name(&self) -> &'static str {
        SCHEDULES
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Declared::KIND, Request::KIND, Execution::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        let schedule = match record.kind.as_str() {
            Declared::KIND => declared(&record.decode()?),
            Request::KIND => match record.decode::<RequestEvent>()?.event {
                Some(Asked::Opened(opened)) => Some(opened.schedule),
                Some(Asked::Denied(_) | Asked::Withdrawn(_) | Asked::Expired(_) | Asked::Confirmed(_)) => {
                    self.of_request(&record.tenant, &record.id).await?
                }
                _ => None,
            },
            Execution::KIND => match record.decode::<ExecutionEvent>()?.event {
                Some(Run::Succeeded(done)) => {
                    let opened = self.opened(&record.tenant, &record.id).await?;
                    if let Some((opened, at)) = opened.as_ref().zip(from_pb(done.finished_at.as_ref())) {
                        self.0.prove_by_hand(record, opened, at).await?;
                    }
                    opened.map(|opened| opened.schedule)
                }
                Some(Run::Failed(_) | Run::Stopped(_)) => self.of_request(&record.tenant, &record.id).await?,
                _ => None,
            },
            _ => None,
        };
        let Some(schedule) = schedule.filter(|name| !name.is_empty()) else { return Ok(()) };
        self.0.look(&record.tenant, &schedule, Some(record.event_id), self.0.ctx.clock.now()).await.map_err(Into::into)
    }
}

impl Follow {
    /// The schedule that opened this request; an execution has its request's id.
    async fn of_request(&self, tenant: &TenantId, id: &str) -> Result<Option<String>, LogError> {
        Ok(self.opened(tenant, id).await?.map(|opened| opened.schedule))
    }

    async fn opened(&self, tenant: &TenantId, id: &str) -> Result<Option<RequestOpened>, LogError> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(self.0.ctx.log.load::<Request>(tenant, &id).await?.state.view.opened)
    }
}

fn declared(event: &InventoryEvent) -> Option<String> {
    match event.event.as_ref()? {
        Inventory::Declared(declared) => {
            declared.document.as_ref().filter(|document| document.kind() == Kind::Schedule).map(|d| d.name.clone())
        }
        Inventory::Retired(retired) => Some(retired).filter(|r| r.kind() == Kind::Schedule).map(|r| r.name.clone()),
    }
}
