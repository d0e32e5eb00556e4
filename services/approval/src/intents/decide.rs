//! The one decision of a link: claimed in the log first, then made as any other decision.

use muster_domain::{
    Refusal,
    ids::derived_id,
    pb::request::v1::{ApproveRequestRequest, DecideByIntentRequest, DenyRequestRequest, IntentDecision},
    request::{
        self, Yes,
        intent::{self, Intent},
    },
};
use muster_eventlog::{DecideError, Meta, Outcome};
use muster_runtime::{Call, IntoStatus};
use tonic::Status;

use super::Link;
use crate::{
    Approval,
    decide::{Changed, about},
};

impl Approval {
    pub(crate) async fn decide_by_intent(&self, call: Call<DecideByIntentRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        let Some(link) = self.follow(&call, &ask.token).await? else {
            return Err(self.refuse_link(&call, None, ask.decision(), &intent::bad_token()).await?);
        };
        self.claim(&call, &ask, &link).await?;
        self.carry_out(call, &ask, &link).await
    }

    /// From here the link is used up. A decision that would be refused anyway does not use it up, and the same command
    /// sent again goes on where it broke off.
    async fn claim(&self, call: &Call<()>, ask: &DecideByIntentRequest, link: &Link) -> Result<(), Status> {
        let meta = claim_meta(call, ask, link)?;
        let attempt = link.attempt(call);
        let mut by_the_link = false;
        let claimed = self
            .ctx
            .log
            .decide::<Intent, Refusal>(&call.tenant, &link.intent_id, &meta, |intent| {
                by_the_link = true;
                let used = intent::use_once(intent, &attempt, ask.decision(), call.now)?;
                by_the_link = false;
                would_be_taken(call, ask, link).map(|()| used)
            })
            .await;
        match claimed {
            Ok(done) if done.outcome == Outcome::Appended || is_same(&done.state, call, ask.decision()) => Ok(()),
            // The key of this command was used for another decision before.
            Ok(done) => {
                let why = intent::look(&done.state, &attempt, call.now).err().unwrap_or_else(intent::bad_token);
                Err(self.refuse_link(call, Some(link), ask.decision(), &why).await?)
            }
            Err(DecideError::Refused(why)) if by_the_link && why.field.is_empty() => {
                Err(self.refuse_link(call, Some(link), ask.decision(), &why).await?)
            }
            Err(DecideError::Refused(why)) => Err(self.refuse(call, why, link.resource(), &link.request_id).await),
            Err(error) => Err(error.into_status()),
        }
    }

    /// By the same commands as on the request's page. Their keys follow from the intent: twice is once.
    async fn carry_out(&self, call: Call<()>, ask: &DecideByIntentRequest, link: &Link) -> Result<Changed, Status> {
        let (tenant, request_id) = (ask.tenant.clone(), link.request_id.to_string());
        let idempotency_key = format!("intent-{}", link.intent_id);
        match ask.decision() {
            IntentDecision::Approve => {
                let approval = ApproveRequestRequest {
                    tenant,
                    request_id,
                    note: ask.note.clone(),
                    idempotency_key,
                    plan_hash: link.claims.plan_hash.clone(),
                    on_behalf_of: String::new(),
                };
                Box::pin(self.approve(call.with(approval))).await
            }
            IntentDecision::Deny | IntentDecision::Unspecified => {
                let denial = DenyRequestRequest { tenant, request_id, reason: ask.note.clone(), idempotency_key };
                self.deny(call.with(denial)).await
            }
        }
    }
}

/// The request's own rules, asked before the link is used up.
fn would_be_taken(call: &Call<()>, ask: &DecideByIntentRequest, link: &Link) -> Result<(), Refusal> {
    match ask.decision() {
        IntentDecision::Approve => {
            let yes = Yes { note: &ask.note, plan_hash: &link.claims.plan_hash, delegation: None, login: call.login };
            request::approve(&link.request, &call.actor, &yes, call.now).map(drop)
        }
        IntentDecision::Deny | IntentDecision::Unspecified => {
            request::deny(&link.request, &call.actor, &ask.note, call.now).map(drop)
        }
    }
}

fn claim_meta(call: &Call<()>, ask: &DecideByIntentRequest, link: &Link) -> Result<Meta, Status> {
    let meta = about(&link.request_id, call.meta(&ask.idempotency_key)?);
    if ask.idempotency_key.is_empty() {
        return Ok(meta);
    }
    // The same key with another link is another command.
    let event_id = derived_id(&["intent.used", link.intent_id.as_str(), &meta.event_id.to_string()]);
    Ok(Meta { event_id, ..meta })
}

/// Used before, by this person for this decision.
fn is_same(intent: &Intent, call: &Call<()>, decision: IntentDecision) -> bool {
    let used = intent.used.as_ref();
    used.is_some_and(|used| used.decision() == decision && used.by.as_ref().is_some_and(|by| by.id == call.actor.id))
}
