//! What a link leads to. Looking changes nothing.

use muster_domain::{
    pb::request::v1::{GetIntentRequest, GetIntentResponse, IntentDecision},
    request::intent,
    time::{PbTimestamp, from_pb, to_pb},
};
use muster_runtime::Call;
use tonic::Status;

use super::Link;
use crate::Approval;

impl Approval {
    pub(crate) async fn get_intent(&self, call: Call<GetIntentRequest>) -> Result<GetIntentResponse, Status> {
        let (ask, call) = call.split();
        let link = self.follow(&call, &ask.token).await?;
        let seen = match &link {
            Some(link) => intent::look(&link.intent, &link.attempt(&call), call.now),
            None => Err(intent::bad_token()),
        };
        let Err(why) = seen else { return self.leads_to(&call, link.as_ref()).await };
        if intent::is_suspicious(&why) {
            // Not the person who was asked: they learn that, and nothing about the request.
            let recorded = self.refuse_link(&call, link.as_ref(), IntentDecision::Unspecified, &why).await;
            recorded?;
            return Ok(GetIntentResponse { refusal: Some(why), ..GetIntentResponse::default() });
        }
        let shown = self.leads_to(&call, link.as_ref()).await?;
        Ok(GetIntentResponse { refusal: Some(why), needs_step_up: false, ..shown })
    }

    async fn leads_to(&self, call: &Call<()>, link: Option<&Link>) -> Result<GetIntentResponse, Status> {
        let Some(link) = link else { return Ok(GetIntentResponse::default()) };
        let request = self.get(&call.tenant, link.request_id.as_str()).await?;
        Ok(GetIntentResponse {
            consequences: intent::consequences(&request),
            request: Some(request),
            expires_at: expiry(link),
            needs_step_up: link.attempt(call).needs_step_up(call.now),
            ..GetIntentResponse::default()
        })
    }
}

fn expiry(link: &Link) -> Option<PbTimestamp> {
    link.intent.issued.as_ref().and_then(|issued| from_pb(issued.expires_at.as_ref())).map(to_pb)
}
