//! The first events of a run: what it is about is reserved, then the plan is fixed. Both can be done again, by anyone.

use muster_domain::{
    execution::{self, Begin},
    pb::execution::v1::{ExecutionStarted, Member},
    request::type_name,
    time::to_pb,
};
use uuid::Uuid;

use crate::{compile::Compiled, error::RunError, run::Run};

impl Run<'_> {
    /// Fixes the plan, once. What another run holds does not stop the beginning: the prechecks ask again and
    /// end the run with the reason, for everybody to see.
    pub(crate) async fn begin(&self, caused_by: Option<Uuid>) -> Result<(), RunError> {
        if self.current().await?.exists() {
            return Ok(());
        }
        if let Err(busy) = self.reserve().await? {
            tracing::warn!(held = busy.value, "another run holds what this one is about");
        }
        let compiled = self.compile().await?;
        let started = self.started(compiled);
        let mut meta = self.meta();
        meta.causation = caused_by;
        let begin = |execution: &execution::Execution| execution::start(execution, Begin { started: started.clone() });
        let decided = self.executor.ctx.log.decide(&self.key.tenant, &self.key.id, &meta, begin).await?;
        tracing::info!(about = self.about(), steps = decided.state.view.steps.len(), "a run began");
        Ok(())
    }

    /// "group shop", "orders-db"
    pub(crate) fn about(&self) -> String {
        let opened = &self.opened;
        if opened.group.is_empty() { opened.resource.clone() } else { format!("group {}", opened.group) }
    }

    fn started(&self, compiled: Compiled) -> ExecutionStarted {
        let opened = &self.opened;
        let confirmed_at = self.request.view.confirmed.as_ref().and_then(|confirmed| confirmed.confirmed_at);
        let (from_node, target_node) = match compiled.members.as_slice() {
            [Member { from_node, target_node, .. }] => (from_node.clone(), target_node.clone()),
            _ => Default::default(),
        };
        ExecutionStarted {
            request_id: opened.request_id.clone(),
            resource: opened.resource.clone(),
            r#type: type_name(self.request_type()).to_owned(),
            from_site: opened.from_site.clone(),
            target_site: opened.target_site.clone(),
            from_node,
            target_node,
            steps: compiled.steps,
            executor: self.executor.ctx.instance.clone(),
            started_at: Some(to_pb(self.executor.ctx.clock.now())),
            confirmed_at,
            tier: opened.tier,
            environment: opened.environment,
            rto_target: compiled.rto,
            rpo_target: compiled.rpo,
            group: opened.group.clone(),
            plan: opened.plan.clone(),
            members: compiled.members,
            drill: compiled.drill,
        }
    }
}
