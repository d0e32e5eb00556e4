//! One run at a time on each resource and each group: taken together or not at all, given back at the end.

use muster_domain::{
    AggregateId, Refusal,
    execution::{self, Execution, Reservation, reservation_of_group},
    pb::{
        execution::v1::{ExecutionState, ReservationEvent},
        request::v1::RequestType,
    },
    time::duration_from_pb,
};
use muster_eventlog::{AppendError, Pending};

use crate::{error::RunError, leg::members, run::Run};

/// Somebody else may win a race for one of the names; then it is theirs, and the next look says so.
const MAX_TRIES: u32 = 8;

/// Whether runs of that type change what production uses. Others disturb nobody, and nobody waits for them: a drill must
/// never be what holds up a failover.
pub(crate) fn reserves(request_type: RequestType) -> bool {
    match request_type {
        RequestType::Switchover
        | RequestType::Failover
        | RequestType::Failback
        | RequestType::Rotation
        | RequestType::LiveDrill
        | RequestType::Rollback => true,
        RequestType::ReadinessDrill
        | RequestType::IsolatedDrill
        | RequestType::TabletopDrill
        | RequestType::Unspecified => false,
    }
}

/// The reservations of a run: its group, if it has one, and every resource.
pub(crate) fn names<'a>(
    request_type: RequestType,
    group: &str,
    resources: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    match request_type {
        // Two copies of one resource on one host would be in each other's way; a move is not held up.
        RequestType::IsolatedDrill => resources.map(|resource| format!("drill-{resource}")).collect(),
        kind if reserves(kind) => {
            let group = (!group.is_empty()).then(|| reservation_of_group(group));
            group.into_iter().chain(resources.map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

impl Run<'_> {
    fn reservations(&self, execution: &Execution) -> Vec<String> {
        let known = execution.view.started.iter().flat_map(members).map(|member| member.resource);
        let mut resources: Vec<String> = known.collect();
        if resources.is_empty() {
            resources = match self.documents.scope(&self.opened.group, &self.opened.resource) {
                Ok(scope) => scope.members.iter().map(|member| member.document.name.clone()).collect(),
                // Not declared as it was: what was asked about is held all the same.
                Err(_) => vec![self.opened.resource.clone()].into_iter().filter(|name| !name.is_empty()).collect(),
            };
        }
        names(self.request_type(), &self.opened.group, resources.iter().map(String::as_str))
    }

    /// Takes everything for this run, or says who has what.
    pub(crate) async fn reserve(&self) -> Result<Result<(), Refusal>, RunError> {
        let names = self.reservations(&self.current().await?);
        for _ in 0..MAX_TRIES {
            match self.try_to_reserve(&names).await? {
                Reserved::Ours => return Ok(Ok(())),
                Reserved::Refused(refusal) => return Ok(Err(refusal)),
                Reserved::Raced => {}
            }
        }
        Err(RunError::Append(format!("others kept changing the reservations of {}", names.join(", "))))
    }

    async fn try_to_reserve(&self, names: &[String]) -> Result<Reserved, RunError> {
        let (log, tenant, now) = (&self.executor.ctx.log, &self.key.tenant, self.executor.ctx.clock.now());
        let (mut pending, mut refusals) = (Vec::new(), Vec::new());
        for name in names {
            let id = id_of(name)?;
            let loaded = log.load::<Reservation>(tenant, &id).await?;
            match execution::reserve(&loaded.state, name, self.key.id.as_str(), now) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    pending.push(Pending::new::<Reservation>(&id, loaded.version + 1, &self.meta(), &event));
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        if let Some(refusal) = all_of(refusals) {
            return Ok(Reserved::Refused(refusal));
        }
        if pending.is_empty() {
            return Ok(Reserved::Ours);
        }
        // Several are taken together or not at all; a batch of one is an append like any other.
        match log.append_batch(tenant, pending).await {
            Ok(_) => Ok(Reserved::Ours),
            Err(AppendError::Conflict { .. }) => Ok(Reserved::Raced),
            Err(error) => Err(RunError::Append(error.to_string())),
        }
    }

    /// Gives everything back. Also a successor's last act, for a run whose executor died right after its end. After a
    /// failover that succeeded the quiet begins first, so that nobody slips in between.
    pub(crate) async fn release(&self, execution: &Execution) -> Result<(), RunError> {
        let failed_over =
            self.request_type() == RequestType::Failover && execution.view.state() == ExecutionState::Succeeded;
        let limit = if failed_over { self.cool_down_limit().await? } else { None };
        let (request, now) = (self.key.id.as_str(), self.executor.ctx.clock.now());
        for name in self.reservations(execution) {
            if failed_over {
                let begin = |held: &Reservation| execution::begin_cool_down(held, &name, request, limit, now);
                self.change(&name, begin).await?;
            }
            self.change(&name, |held| execution::release(held, &name, request)).await?;
        }
        Ok(())
    }

    async fn change(
        &self,
        name: &str,
        mut change: impl FnMut(&Reservation) -> Option<ReservationEvent>,
    ) -> Result<(), RunError> {
        let (log, tenant, id) = (&self.executor.ctx.log, &self.key.tenant, id_of(name)?);
        log.decide::<Reservation, Refusal>(tenant, &id, &self.meta(), |held| Ok(change(held))).await?;
        Ok(())
    }

    /// The longest of the tenant's policies; a policy without one means until somebody acknowledges.
    async fn cool_down_limit(&self) -> Result<Option<jiff::SignedDuration>, RunError> {
        self.executor.declared.caught_up().await;
        Ok(self.executor.declared.read(&self.key.tenant, |inventory| {
            inventory.policies().filter_map(|(_, policy)| duration_from_pb(policy.cool_down.as_ref())).max()
        }))
    }
}

enum Reserved {
    Ours,
    Refused(Refusal),
    Raced,
}

/// Everything that stands in the way, as one refusal.
fn all_of(refusals: Vec<Refusal>) -> Option<Refusal> {
    let values = refusals.iter().map(|refusal| refusal.value.clone()).collect::<Vec<_>>().join("; ");
    refusals.into_iter().next().map(|first| Refusal { value: values, ..first })
}

pub(crate) fn id_of(name: &str) -> Result<AggregateId, RunError> {
    // A declared name is an id; another one would be of a request that no service of ours opened.
    name.parse().map_err(|error: muster_domain::InvalidId| RunError::NotOurs(error.to_string()))
}
