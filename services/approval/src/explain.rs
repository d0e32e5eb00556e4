//! Who would have to approve this? Asked before a request is opened; changes nothing.

use muster_domain::{
    gate,
    pb::{
        inventory::v1::Document,
        request::v1::{ExplainPolicyRequest, ExplainPolicyResponse, RequestType},
    },
    plan,
    refusal::field_refusal,
    request::{self, TYPES, policy_words, type_name},
};
use muster_runtime::{Call, IntoStatus, refused};
use tonic::Status;

use crate::Approval;

impl Approval {
    pub(crate) async fn explain(&self, call: Call<ExplainPolicyRequest>) -> Result<ExplainPolicyResponse, Status> {
        let (ask, call) = call.split();
        let kind = ask.r#type();
        if kind == RequestType::Unspecified {
            return Err(refused(&field_refusal(
                "type",
                "FIELD_INVALID",
                "policies differ by the type of request",
                "unspecified",
                TYPES.map(type_name).join(", "),
                "name the type",
            )));
        }
        let tenant = &call.tenant;
        let inventory = self.scope_documents(tenant, &ask.group, &ask.resource).await?;
        let scope = plan::scope(&inventory, &ask.group, &ask.resource).map_err(|refusal| refused(&refusal))?;
        let (tier, environment) = request::worst(&scope);
        let policies =
            self.current_policies(tenant, &ask.group, &ask.resource).await.map_err(IntoStatus::into_status)?;
        let policies = request::with_drafts(policies, ask.drafts).map_err(|refusal| refused(&refusal))?;
        let policies: Vec<&Document> = policies.iter().collect();
        let policy = request::effective_policy(&policies, tier, environment, kind);
        let plan = match kind {
            // The plan of a rollback follows from the run it takes back.
            RequestType::Rollback => None,
            _ => self.plan_for(tenant, "", kind, &scope).await?,
        };
        let plan_name = plan.map(|plan| plan.document.name).unwrap_or_default();
        let gate = self.ctx.log.gate(tenant, kind, &plan_name, tier, environment).await;
        let gate = gate.map_err(IntoStatus::into_status)?;
        let text = if gate::runs_by_itself(gate.level) {
            format!("nobody: gate {} lets it run by itself ({})", gate::level_name(gate.level), gate.source)
        } else {
            policy_words(&policy.policy)
        };
        let freeze = request::freeze_at(&policies, tier, environment, kind, call.now);
        Ok(ExplainPolicyResponse {
            policy: Some(policy.policy),
            gate: gate.level.into(),
            gate_source: gate.source,
            text,
            freeze: freeze.map(|freeze| freeze.words()).unwrap_or_default(),
            require_ticket: policy.require_ticket,
        })
    }
}
