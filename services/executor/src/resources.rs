//! What conditions of a plan ask about the run's members: answered by the systems themselves, now.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_domain::execution;
use muster_platform::{MoveJob, MoveKind, integrity::Source};

use crate::{
    actions::{Resources, Seen, Surroundings},
    checks::list,
    integrity::data_login,
    job::Job,
    run::{Run, in_time},
};

/// The members of one run, each in the direction of the run.
struct Members(BTreeMap<String, Job>);

impl Run<'_> {
    pub(crate) fn surroundings(&self) -> Result<Surroundings, String> {
        let jobs = self.resources().filter_map(|leg| {
            let job = leg.job.as_ref().ok()?;
            Some((leg.resource().to_owned(), Job { mover: job.mover.clone(), job: job.job.clone() }))
        });
        let members: Arc<dyn Resources> = Arc::new(Members(jobs.collect()));
        Surroundings::new(&self.executor.ctx, self.key.tenant.clone(), self.key.id.to_string(), members)
            .map_err(|error| error.to_string())
    }
}

impl Members {
    fn job(&self, resource: &str) -> Result<&Job, String> {
        self.0.get(resource).ok_or_else(|| format!("{resource} is not a member of this run"))
    }
}

#[async_trait]
impl Resources for Members {
    async fn at_target(&self, resource: &str) -> Result<Seen, String> {
        let Job { mover, job } = self.job(resource)?;
        let (markers, missing) = mover.markers(job).await;
        let primaries: Vec<_> = markers.iter().filter(|marker| marker.role == "primary").collect();
        match primaries.as_slice() {
            [primary] => Ok(Seen {
                holds: primary.node == job.target_node,
                text: format!("{} at {} is the primary", primary.node, primary.site),
            }),
            [] => Err(format!("no node says that it is the primary: {}", missing.join("; "))),
            several => Err(format!("{} nodes say that they are the primary", several.len())),
        }
    }

    /// It could be moved to its other side now: then that side follows and has caught up.
    async fn protected(&self, resource: &str) -> Result<Seen, String> {
        let Job { mover, job } = self.job(resource)?;
        let (markers, _) = mover.markers(job).await;
        let is_primary = |node: &str| markers.iter().any(|marker| marker.node == node && marker.role == "primary");
        let towards = match (is_primary(&job.target_node), is_primary(&job.from_node)) {
            (true, false) => turned(job),
            (false, true) => MoveJob { kind: MoveKind::Switchover, ..job.clone() },
            _ => return Err(format!("it cannot be told which node of {resource} is the primary")),
        };
        let checks = in_time(mover.prechecks(&towards)).await;
        let bad = execution::blocking(&checks);
        Ok(Seen {
            holds: bad.is_empty(),
            text: if bad.is_empty() { format!("{} follows", towards.target_node) } else { list(&bad) },
        })
    }

    async fn one_value(&self, resource: &str, query: &str, limit: Duration) -> Result<String, String> {
        let job = self.job(resource)?;
        let login = data_login(job);
        let node = muster_platform::integrity::primary_node(&job.job.spec, login).await?;
        let source = Source { spec: &job.job.spec, node: &node, login };
        muster_platform::integrity::one_value(source, query, limit).await
    }
}

/// The same resource, the other way.
fn turned(job: &MoveJob) -> MoveJob {
    MoveJob {
        kind: MoveKind::Switchover,
        from_node: job.target_node.clone(),
        target_node: job.from_node.clone(),
        ..job.clone()
    }
}
