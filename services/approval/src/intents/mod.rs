//! Decisions from messages: what a link leads to, and the one decision that it may make.
//!
//! Architecture Invariant: a link adds checks and replaces none. After it was claimed, the decision goes through the
//! very same `approve` or `deny` as every other, with the same policy, separation of duties and witness.

mod decide;
mod look;

use std::convert::Infallible;

use muster_domain::{
    AggregateId, Refusal,
    pb::request::v1::IntentDecision,
    request::{
        Request,
        intent::{self, Attempt, Claims, Intent},
        scope_name,
    },
};
use muster_runtime::{Call, IntoStatus, unavailable};
use tonic::Status;

use crate::{Approval, decide::about};

/// By which way somebody came, in the record.
const VIA: &str = "console";

/// What a link with a good signature leads to, read from the log.
struct Link {
    claims: Claims,
    intent_id: AggregateId,
    request_id: AggregateId,
    intent: Intent,
    request: Request,
    /// Why plan, group or resources are not what was asked about any more.
    changed: Option<Refusal>,
}

impl Link {
    fn attempt<'a>(&'a self, call: &'a Call<()>) -> Attempt<'a> {
        Attempt {
            tenant: call.tenant.as_str(),
            claims: &self.claims,
            by: &call.actor,
            request: &self.request,
            changed: self.changed.as_ref(),
            login: call.login,
        }
    }

    fn resource(&self) -> &str {
        self.request.view.opened.as_ref().map(scope_name).unwrap_or_default()
    }
}

impl Approval {
    /// Reads what the token names. `None`: it is no token of ours, so nothing of it is believed.
    async fn follow(&self, call: &Call<()>, token: &str) -> Result<Option<Link>, Status> {
        let opened = self.links.open(token).map_err(|error| {
            tracing::error!(%error, "links in messages cannot be checked");
            unavailable("the key of links in messages", "decide on the request's own page")
        })?;
        let Some(claims) = opened else { return Ok(None) };
        let (Ok(intent_id), Ok(request_id)) = (claims.intent_id.parse(), claims.request_id.parse()) else {
            return Ok(None);
        };
        let mut link = Link {
            claims,
            intent_id,
            request_id,
            intent: Intent::default(),
            request: Request::default(),
            changed: None,
        };
        // Of another tenant nothing is read, whatever a token says.
        if link.claims.tenant == call.tenant.as_str() {
            let log = &self.ctx.log;
            let (intent, request) = tokio::try_join!(
                log.load::<Intent>(&call.tenant, &link.intent_id),
                log.load::<Request>(&call.tenant, &link.request_id)
            )
            .map_err(IntoStatus::into_status)?;
            (link.intent, link.request) = (intent.state, request.state);
            let surroundings = self.what_is_approved(&call.tenant, &link.request_id).await?;
            link.changed = surroundings.unchanged(&link.request).err();
        }
        Ok(Some(link))
    }

    /// Keeps the refused attempt with its intent and among the denials of the tenant, and makes the answer.
    async fn refuse_link(
        &self,
        call: &Call<()>,
        link: Option<&Link>,
        decision: IntentDecision,
        why: &Refusal,
    ) -> Result<Status, Status> {
        let known = link.filter(|_| !intent::is_stray(why));
        let stray = || AggregateId::from(intent::stray_id(call.tenant.as_str(), &call.actor.id, call.now));
        let id = known.map_or_else(stray, |link| link.intent_id.clone());
        let meta = call.meta("")?;
        let meta = known.map_or(meta.clone(), |link| about(&link.request_id, meta));
        let keep =
            |intent: &Intent| Ok::<_, Infallible>(intent::refused(intent, &call.actor, decision, why, VIA, call.now));
        if let Err(error) = self.ctx.log.decide::<Intent, _>(&call.tenant, &id, &meta, keep).await {
            // The refusal stands all the same, and is among the denials.
            tracing::error!(tenant = %call.tenant, %error, "a refused link could not be kept with its intent");
        }
        metrics::counter!("muster_intents_refused_total", "code" => why.code.clone()).increment(1);
        let (resource, request_id) = known.map_or(("", ""), |link| (link.resource(), link.request_id.as_str()));
        Ok(self.ctx.deny(call, why, resource, request_id).await)
    }
}
