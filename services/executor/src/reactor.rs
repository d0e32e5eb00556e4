//! A confirmed request begins a run. It returns only when the run is in the log, so that no crash loses one.

use std::sync::Arc;

use async_trait::async_trait;
use muster_domain::{
    Aggregate,
    pb::request::v1::{RequestEvent, request_event::Event},
    request::Request,
};
use muster_eventlog::{ReactError, Reactor, Record};
use tracing::Instrument;

use crate::{Executor, error::RunError, run::Run, trace, unfinished::RunKey};

pub(crate) struct Confirmed(pub(crate) Arc<Executor>);

#[async_trait]
impl Reactor for Confirmed {
    fn name(&self) -> &'static str {
        "executor.confirmed"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Request::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        let Some(Event::Confirmed(_)) = record.decode::<RequestEvent>()?.event else { return Ok(()) };
        let id = record.id.parse().map_err(|error: muster_domain::InvalidId| ReactError::Failed(error.to_string()))?;
        let key = RunKey { tenant: record.tenant.clone(), id };
        let begun = async {
            match Run::load(&self.0, &key).await? {
                Some(run) => run.begin(Some(record.event_id)).await,
                None => Ok(()),
            }
        };
        match Box::pin(begun.instrument(trace::span(&key, record.traceparent.as_deref()))).await {
            Ok(()) => {}
            Err(RunError::NotOurs(why)) => return Err(ReactError::Failed(why)),
            Err(error) => return Err(ReactError::Unavailable(error.to_string())),
        }
        self.0.work_on(key, record.traceparent.clone());
        Ok(())
    }
}
