//! Opening a request, by what the log says about its scope, plan, policies and gate at this moment.

use std::collections::BTreeMap;

use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::Execution,
    gate,
    ids::derived_id,
    inventory::TenantInventory,
    pb::{
        inventory::v1::{Document, PolicySpec, document::Spec},
        readiness::v1::Assessment,
        request::v1::{Evidence, OpenRequestRequest, RequestType},
    },
    plan::{self, Scope},
    request::{self, BreakGlassAsk, Case, Earlier, EffectivePolicy, OpenRequest, Request},
    time::duration_from_pb,
};
use muster_eventlog::{DecideError, PublishedPlan};
use muster_runtime::{Call, IntoStatus, look, refused};
use tonic::Status;

use crate::{
    Approval,
    decide::{Changed, about},
    sight::Sight,
};

/// Tests of the plan that approvers are shown.
const PAST_TESTS: usize = 5;

impl Approval {
    pub(crate) async fn open(&self, call: Call<OpenRequestRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        let meta = call.meta(&ask.idempotency_key)?;
        let id = AggregateId::from(match ask.idempotency_key.as_str() {
            "" => self.ctx.clock.new_id(),
            key => derived_id(&["request", call.tenant.as_str(), &call.actor.id, key]),
        });
        let command = command(&id, ask);
        if let Some(answer) = self.asked_before(&call, &id, &command).await? {
            return Ok(answer);
        }
        let earlier = self.earlier(&call, &id, &command).await?;
        let (group, resource) = match &earlier {
            Some(earlier) => (earlier.opened.group.clone(), earlier.opened.resource.clone()),
            None => (command.group.clone(), command.resource.clone()),
        };
        let name = if group.is_empty() { &resource } else { &group };
        let inventory = self.scope_documents(&call.tenant, &group, &resource).await?;
        let asked = Asked { tenant: &call.tenant, now: call.now, group: &group, resource: &resource };
        let facts = self.facts(&asked, &command, earlier.as_ref(), &inventory).await?;
        let seen_at = self.sight.seen_at(&call.tenant, &names(&facts.scope), call.now);
        let last_seen = self.sight.last_seen(&call.tenant, &names(&facts.scope));
        let case = Case {
            scope: &facts.scope,
            plan: facts.plan.as_ref().map(|plan| &plan.document),
            policy: &facts.policy,
            gate: &facts.gate,
            evidence: Some(facts.evidence),
            seen_at: &seen_at,
            last_seen: &last_seen,
            earlier: earlier.as_ref(),
        };
        let decided = self
            .ctx
            .log
            .decide::<Request, Refusal>(&call.tenant, &id, &about(&id, meta), |request| {
                request::open(request, &command, &case, &call.actor, call.now)
            })
            .await;
        match decided {
            Ok(decided) => {
                request::same_question(&decided.state, &command).map_err(IntoStatus::into_status)?;
                Ok((self.get(&call.tenant, id.as_str()).await?, decided.sequence))
            }
            Err(DecideError::Refused(refusal)) => Err(self.refuse(&call, refusal, name, &id).await),
            Err(error) => Err(error.into_status()),
        }
    }

    /// The same command again: answered by what is there, whatever has changed around it since.
    async fn asked_before(
        &self,
        call: &Call<()>,
        id: &AggregateId,
        command: &OpenRequest,
    ) -> Result<Option<Changed>, Status> {
        let request = self.ctx.log.load::<Request>(&call.tenant, id).await.map_err(IntoStatus::into_status)?;
        if !request.state.exists() {
            return Ok(None);
        }
        request::same_question(&request.state, command).map_err(IntoStatus::into_status)?;
        Ok(Some((self.get(&call.tenant, id.as_str()).await?, request.sequence)))
    }

    /// The run that a rollback takes back.
    async fn earlier(
        &self,
        call: &Call<()>,
        id: &AggregateId,
        command: &OpenRequest,
    ) -> Result<Option<Earlier>, Status> {
        if command.kind != RequestType::Rollback || command.rollback_of.is_empty() {
            return Ok(None);
        }
        let of = crate::decide::request_id(&command.rollback_of)?;
        let log = &self.ctx.log;
        let (request, execution) =
            tokio::try_join!(log.load::<Request>(&call.tenant, &of), log.load::<Execution>(&call.tenant, &of))
                .map_err(IntoStatus::into_status)?;
        match Earlier::of(&request.state, &execution.state) {
            Ok(earlier) => Ok(Some(earlier)),
            Err(refusal) => Err(self.refuse(call, refusal, "", id).await),
        }
    }

    pub(crate) async fn facts<'a>(
        &self,
        asked: &Asked<'_>,
        command: &OpenRequest,
        earlier: Option<&Earlier>,
        inventory: &'a TenantInventory,
    ) -> Result<Facts<'a>, Status> {
        let Asked { tenant, group, resource, .. } = *asked;
        let scope = plan::scope(inventory, group, resource).map_err(|refusal| refused(&refusal))?;
        let plan = match earlier.map(|earlier| earlier.opened.plan.clone().unwrap_or_default().name) {
            // The steps that are taken back are those of the plan that was run.
            Some(name) if name.is_empty() => None,
            Some(name) => self.ctx.log.published_plan(tenant, &name).await.map_err(IntoStatus::into_status)?,
            None => self.plan_for(tenant, &command.plan, command.kind, &scope).await?,
        };
        let policies = self.current_policies(tenant, group, resource).await.map_err(IntoStatus::into_status)?;
        let (tier, environment) = request::worst(&scope);
        let policies: Vec<&Document> = policies.iter().collect();
        let policy = request::effective_policy(&policies, tier, environment, command.kind);
        let plan_name = plan.as_ref().map(|plan| plan.document.name.clone()).unwrap_or_default();
        let gate = self.ctx.log.gate(tenant, command.kind, &plan_name, tier, environment).await;
        let gate = gate.map_err(IntoStatus::into_status)?;
        let evidence = self.evidence(asked, command, &scope, plan.as_ref(), &policies).await?;
        Ok(Facts { scope, plan, policy, gate, evidence })
    }

    /// What approvers shall have in front of them.
    async fn evidence(
        &self,
        Asked { tenant, now, .. }: &Asked<'_>,
        command: &OpenRequest,
        scope: &Scope<'_>,
        plan: Option<&PublishedPlan>,
        policies: &[&Document],
    ) -> Result<Evidence, Status> {
        let looks = self.looks(tenant, scope, policies, *now).await;
        let mut evidence = Sight::evidence(&looks, &names(scope), *now);
        let tests = plan.map(|plan| plan.life.tests.iter().take(PAST_TESTS).cloned().collect());
        evidence.past_tests = tests.unwrap_or_default();
        if !command.preflight_id.is_empty() {
            evidence.verdict = self.verdict(tenant, &command.preflight_id).await?.into();
            evidence.preflight_id = command.preflight_id.clone();
        }
        Ok(evidence)
    }
}

impl Approval {
    /// How each system of the scope stands now: the newest recorded judgement of one that is well may be days old.
    async fn looks(
        &self,
        tenant: &TenantId,
        scope: &Scope<'_>,
        policies: &[&Document],
        now: jiff::Timestamp,
    ) -> BTreeMap<String, Assessment> {
        let specs = || policies.iter().filter_map(|document| policy_of(document));
        let asked = scope.members.iter().map(|member| {
            let name = member.document.name.as_str();
            look::Asked::new(name, member.spec, specs(), self.sight.recorded(tenant, name))
        });
        look::as_of_now(&self.ctx.log, tenant, &asked.collect::<Vec<_>>(), now).await
    }
}

fn policy_of(document: &Document) -> Option<&PolicySpec> {
    match &document.spec {
        Some(Spec::PolicySpec(spec)) => Some(spec),
        _ => None,
    }
}

/// What a request is about, where and when.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) now: jiff::Timestamp,
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
}

pub(crate) struct Facts<'a> {
    pub(crate) scope: Scope<'a>,
    pub(crate) plan: Option<PublishedPlan>,
    pub(crate) policy: EffectivePolicy,
    pub(crate) gate: gate::Effective,
    pub(crate) evidence: Evidence,
}

pub(crate) fn names<'a>(scope: &Scope<'a>) -> Vec<&'a str> {
    scope.members.iter().map(|member| member.document.name.as_str()).collect()
}

fn command(id: &AggregateId, ask: OpenRequestRequest) -> OpenRequest {
    OpenRequest {
        request_id: id.to_string(),
        kind: RequestType::try_from(ask.r#type).unwrap_or(RequestType::Unspecified),
        resource: ask.resource,
        group: ask.group,
        target_site: ask.target_site,
        plan: ask.plan,
        reason: ask.reason,
        ticket: ask.ticket,
        break_glass: ask.break_glass.map(|glass| BreakGlassAsk {
            incident: glass.incident,
            reason: glass.reason,
            limit: duration_from_pb(glass.limit.as_ref()),
        }),
        rollback_of: ask.rollback_of,
        preflight_id: ask.preflight_id,
        scheduled: None,
    }
}
