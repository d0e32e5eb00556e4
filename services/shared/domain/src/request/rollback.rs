//! Taking back what an earlier run did, by its own steps: a request of its own, with its own approvals.

use super::open::{Case, OpenRequest};
use super::sites::{Chosen, Sites};
use super::{Request, scope_name, type_name};
use crate::execution::Execution;
use crate::pb::execution::v1::ExecutionState;
use crate::pb::request::v1::{RequestOpened, RequestType};
use crate::plan;
use crate::refusal::{Refusal, field_refusal};

/// The request whose run is taken back.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub opened: RequestOpened,
}

impl Earlier {
    /// Of a run that has ended and whose steps can be taken back.
    pub fn of(request: &Request, execution: &Execution) -> Result<Self, Refusal> {
        let refuse = |rule: &str, value: &str, limit: &str, next: &str| {
            Err(field_refusal("rollback_of", "NOTHING_TO_ROLL_BACK", rule, value, limit, next))
        };
        let Some(opened) = &request.view.opened else {
            return refuse(
                "a rollback takes back a run",
                "no such request",
                "a request of this tenant",
                "find it with `muster request list`",
            );
        };
        match opened.r#type() {
            RequestType::Switchover | RequestType::Failback | RequestType::Rotation => {}
            RequestType::Failover => {
                return refuse(
                    "after a failover nobody knows whether the old side is whole, so its steps are never taken back",
                    "failover",
                    "switchover, failback, rotation",
                    "let the old side be rebuilt as a standby, then ask for a failback",
                );
            }
            other => {
                return refuse(
                    "only a move that was meant to stay is taken back",
                    type_name(other),
                    "switchover, failback, rotation",
                    "nothing has to be taken back",
                );
            }
        }
        match execution.view.state() {
            ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Stopped => {}
            ExecutionState::Running => {
                return refuse(
                    "a run is taken back after its end",
                    "running",
                    "succeeded, failed or stopped",
                    "stop it, or wait for its end",
                );
            }
            ExecutionState::Unspecified => {
                return refuse(
                    "a rollback takes back a run",
                    "never started",
                    "a request that was run",
                    "nothing has to be taken back",
                );
            }
        }
        if !execution.has_touched() {
            return refuse(
                "a rollback takes back steps that were run",
                "it ended before its first step",
                "a run that began a step",
                "nothing has to be taken back",
            );
        }
        Ok(Self { opened: opened.clone() })
    }

    /// The way back, on exactly what was run: another plan has other steps.
    pub(super) fn sites(&self, command: &OpenRequest, case: &Case<'_>) -> Result<Sites, Refusal> {
        let opened = &self.opened;
        if command.rollback_of != opened.request_id {
            return Err(field_refusal(
                "rollback_of",
                "FIELD_INVALID",
                "a rollback names the request whose run it takes back",
                command.rollback_of.clone(),
                opened.request_id.clone(),
                "name that request",
            ));
        }
        let asked = [
            (&command.target_site, &opened.from_site),
            (&command.resource, &opened.resource),
            (&command.group, &opened.group),
        ];
        if let Some((asked, known)) = asked.into_iter().find(|(asked, known)| !asked.is_empty() && asked != known) {
            return Err(field_refusal(
                "rollback_of",
                "ROLLBACK_DIFFERS",
                "scope and direction of a rollback follow from the run it takes back",
                asked.clone(),
                format!("{known} ({} of request {})", scope_name(opened), opened.request_id),
                "leave resource, group and target out",
            ));
        }
        let (now, then) = (plan::hash(case.plan, case.scope), opened.plan.clone().unwrap_or_default());
        if now.hash != then.hash {
            return Err(field_refusal(
                "rollback_of",
                "PLAN_CHANGED",
                "a run is taken back by the steps that it had",
                "the plan or something it moves was changed since",
                format!("plan hash {}", then.hash),
                "ask for a switchover or failback by what holds now",
            ));
        }
        Ok(Sites { from: opened.target_site.clone(), target: opened.from_site.clone(), chosen: Chosen::ByType })
    }
}
