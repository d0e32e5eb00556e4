//! From a command to one event: the domain decides, the log keeps it, and a refused attempt is kept too.

use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::Execution,
    ids::derived_id,
    pb::request::v1::{
        ApproveRequestRequest, DenyRequestRequest, OverrideCheckRequest, RequestEvent, RequestView,
        ReviewBreakGlassRequest, StartRequestRequest, WithdrawRequestRequest,
    },
    refusal::{field_refusal, refusal},
    request::{self, Request, Yes, scope_name},
};
use muster_eventlog::{DecideError, Meta};
use muster_runtime::{Call, IntoStatus};
use tonic::Status;

use crate::{Approval, view};

/// The request as it is now, and the position in the tenant's log to wait for in a list.
pub(crate) type Changed = (RequestView, u64);

impl Approval {
    pub(crate) async fn approve(&self, call: Call<ApproveRequestRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        let id = request_id(&ask.request_id)?;
        let delegation = self.delegation(&call, &ask.on_behalf_of).await?;
        let surroundings = self.what_is_approved(&call.tenant, &id).await?;
        self.change(&call, &ask.request_id, &ask.idempotency_key, |request| {
            let yes =
                Yes { note: &ask.note, plan_hash: &ask.plan_hash, delegation: delegation.as_ref(), login: call.login };
            let event = request::approve(request, &call.actor, &yes, call.now)?;
            surroundings.unchanged(request)?;
            Ok(event)
        })
        .await
    }

    pub(crate) async fn deny(&self, call: Call<DenyRequestRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        self.change(&call, &ask.request_id, &ask.idempotency_key, |request| {
            request::deny(request, &call.actor, &ask.reason, call.now)
        })
        .await
    }

    pub(crate) async fn withdraw(&self, call: Call<WithdrawRequestRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        self.change(&call, &ask.request_id, &ask.idempotency_key, |request| {
            request::withdraw(request, &call.actor, &ask.reason, call.now)
        })
        .await
    }

    /// Confirms with the phrase. The executor reacts to the event; whatever stands in its way by then, another run
    /// on the resource included, becomes a failed run and not a run that waits unseen.
    pub(crate) async fn start(&self, call: Call<StartRequestRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        let id = request_id(&ask.request_id)?;
        let surroundings = self.what_a_start_meets(&call.tenant, &id, call.now).await?;
        self.change(&call, &ask.request_id, &ask.idempotency_key, |request| {
            let event = request::start(request, &call.actor, &ask.confirmation, &surroundings.terms, call.now)?;
            surroundings.unchanged(request)?;
            surroundings.free(request, call.now)?;
            Ok(event)
        })
        .await
    }

    pub(crate) async fn override_check(&self, call: Call<OverrideCheckRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        self.change(&call, &ask.request_id, &ask.idempotency_key, |request| {
            request::override_check(request, &call.actor, &ask.check, &ask.resource, &ask.reason, call.now)
        })
        .await
    }

    pub(crate) async fn review(&self, call: Call<ReviewBreakGlassRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        let id = request_id(&ask.request_id)?;
        let execution = self.ctx.log.load::<Execution>(&call.tenant, &id).await.map_err(IntoStatus::into_status)?;
        let runs = execution.state.is_running();
        self.change(&call, &ask.request_id, &ask.idempotency_key, |request| {
            request::review(request, runs, &call.actor, ask.justified, &ask.findings, call.now)
        })
        .await
    }

    async fn change(
        &self,
        call: &Call<()>,
        request_id_text: &str,
        key: &str,
        mut decide: impl FnMut(&Request) -> Result<Option<RequestEvent>, Refusal>,
    ) -> Result<Changed, Status> {
        let id = request_id(request_id_text)?;
        let mut meta = about(&id, call.meta(key)?);
        if !key.is_empty() {
            // The same key on another request is another command.
            meta.event_id = derived_id(&["on", id.as_str(), &meta.event_id.to_string()]);
        }
        let mut resource = String::new();
        let decided = self
            .ctx
            .log
            .decide::<Request, Refusal>(&call.tenant, &id, &meta, |request| {
                resource = request.view.opened.as_ref().map(|opened| scope_name(opened).to_owned()).unwrap_or_default();
                decide(request)
            })
            .await;
        match decided {
            Ok(decided) => Ok((self.get(&call.tenant, request_id_text).await?, decided.sequence)),
            Err(DecideError::Refused(refusal)) => Err(self.refuse(call, refusal, &resource, &id).await),
            Err(error) => Err(error.into_status()),
        }
    }

    /// The answer to a refused command. An attempt against a rule is kept for ever; a slip of the pen is not.
    pub(crate) async fn refuse(
        &self,
        call: &Call<()>,
        mut refusal: Refusal,
        resource: &str,
        id: &AggregateId,
    ) -> Status {
        if refusal.code == NOT_FOUND {
            refusal.value = id.to_string();
        }
        if refusal.code == STEP_UP_NEEDED {
            refusal.next_action = self.how_to_step_up(&refusal.next_action);
        }
        if is_attempt(&refusal) {
            self.ctx.deny(call, &refusal, resource, id.as_str()).await
        } else {
            muster_runtime::refused(&refusal)
        }
    }

    /// With the classes of login that count here, which only the configuration knows.
    fn how_to_step_up(&self, next_action: &str) -> String {
        let classes: Vec<&str> =
            self.ctx.config.auth.issuers.iter().flat_map(|issuer| &issuer.step_up_acr).map(String::as_str).collect();
        match classes.is_empty() {
            true => next_action.to_owned(),
            false => format!("{next_action}; --acr takes {}", classes.join(" or ")),
        }
    }

    pub(crate) async fn get(&self, tenant: &TenantId, request_id_text: &str) -> Result<RequestView, Status> {
        let id = request_id(request_id_text)?;
        let view = view::current(&self.ctx.log, tenant, &id).await.map_err(IntoStatus::into_status)?;
        view.ok_or_else(|| muster_runtime::refused(&not_found(&id)))
    }
}

const NOT_FOUND: &str = "REQUEST_NOT_FOUND";
const STEP_UP_NEEDED: &str = "APPROVAL_STEP_UP_NEEDED";

/// Everything that has to do with one request shares its id as correlation.
pub(crate) fn about(id: &AggregateId, meta: Meta) -> Meta {
    let correlation = id.as_str().parse().unwrap_or(meta.correlation);
    Meta { correlation, ..meta }
}

/// Against a rule about who, when and whether; not a field that is empty or a name that is unknown.
fn is_attempt(refusal: &Refusal) -> bool {
    let against_a_rule = ["PHRASE_WRONG", "PLAN_HASH_MISMATCH", "CHECK_NOT_OVERRIDABLE", "BREAK_GLASS_LIMIT"];
    against_a_rule.contains(&refusal.code.as_str()) || (refusal.field.is_empty() && refusal.code != NOT_FOUND)
}

pub(crate) fn request_id(text: &str) -> Result<AggregateId, Status> {
    text.parse::<AggregateId>().map_err(|error| {
        muster_runtime::refused(&field_refusal(
            "request_id",
            "FIELD_INVALID",
            "every command on a request names it",
            error.value,
            error.rule,
            "use the id that `muster request list` shows",
        ))
    })
}

fn not_found(id: &AggregateId) -> Refusal {
    refusal(
        NOT_FOUND,
        "there is no such request in this tenant",
        id.to_string(),
        "a request id of this tenant",
        "list them with `muster request list`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_attempts_and_slips_are_not() {
        let plain = |code: &str| refusal(code, "", "", "", "");
        let field = |code: &str| field_refusal("f", code, "", "", "", "");
        for attempt in
            [plain("APPROVER_IS_REQUESTER"), plain("NOT_APPROVED"), plain("RESOURCE_BUSY"), field("PHRASE_WRONG")]
        {
            assert!(is_attempt(&attempt), "{}", attempt.code);
        }
        for slip in [field("FIELD_INVALID"), field("SITE_UNKNOWN"), plain("REQUEST_NOT_FOUND")] {
            assert!(!is_attempt(&slip), "{}", slip.code);
        }
    }
}
