//! The first events of a run: the resource is reserved, then the plan is fixed. Both can be done again, by anyone.

use muster_domain::{
    execution::{self, Begin},
    pb::{
        execution::v1::ExecutionStarted,
        request::v1::{RequestOpened, RequestType},
    },
    request::type_name,
    time::to_pb,
};
use uuid::Uuid;

use crate::{error::RunError, job::sides, run::Run};

impl Run<'_> {
    /// Fixes the plan, once. A resource that another run holds does not stop the beginning: the prechecks ask again and
    /// end the run with the reason, for everybody to see.
    pub(crate) async fn begin(&self, caused_by: Option<Uuid>) -> Result<(), RunError> {
        if self.current().await?.exists() {
            return Ok(());
        }
        if let Err(busy) = self.reserve().await? {
            tracing::warn!(resource = %self.resource, held = busy.value, "another run holds the resource");
        }
        let started = self.started();
        let mut meta = self.meta();
        meta.causation = caused_by;
        let begin = |execution: &execution::Execution| execution::start(execution, Begin { started: started.clone() });
        let decided = self.executor.ctx.log.decide(&self.key.tenant, &self.key.id, &meta, begin).await?;
        tracing::info!(resource = %self.resource, steps = decided.state.view.steps.len(), "a run began");
        Ok(())
    }

    fn started(&self) -> ExecutionStarted {
        let opened = self.request.view.opened.clone().unwrap_or_default();
        let confirmed_at = self.request.view.confirmed.as_ref().and_then(|confirmed| confirmed.confirmed_at);
        let spec = self.versions.resource(opened.resource_version).ok();
        let sides = spec.and_then(|spec| sides(&opened, spec).ok());
        let (from_node, target_node) = sides.map(|sides| (sides.from, sides.target)).unwrap_or_default();
        let steps = self.job.as_ref().map(|job| job.mover.plan(&job.job)).unwrap_or_default();
        let request_type = type_name(RequestType::try_from(opened.r#type).unwrap_or(RequestType::Unspecified));
        let RequestOpened { request_id, resource, from_site, target_site, tier, environment, .. } = opened;
        ExecutionStarted {
            request_id,
            resource,
            r#type: request_type.to_owned(),
            from_site,
            target_site,
            from_node,
            target_node,
            steps,
            executor: self.executor.ctx.instance.clone(),
            started_at: Some(to_pb(self.executor.ctx.clock.now())),
            confirmed_at,
            tier,
            environment,
            rto_target: spec.and_then(|spec| spec.rto),
            rpo_target: spec.and_then(|spec| spec.rpo),
            ..ExecutionStarted::default()
        }
    }
}
