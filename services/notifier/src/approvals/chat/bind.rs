//! Binding a chat account to the person who is logged in.

use std::sync::Arc;

use muster_domain::delivery::chat_binding::{self, CODE_LASTS, binding_id, check_user};
use muster_domain::delivery::{ChatBinding, routing};
use muster_domain::pb::inventory::v1::SlackChannel;
use muster_domain::pb::notification::v1::{
    BindChatRequest, BindChatResponse, ChatBindingAsked, ChatBindingEvent, ConfirmChatRequest, ConfirmChatResponse,
    ListChatBindingsRequest, ListChatBindingsResponse, UnbindChatRequest, UnbindChatResponse,
};
use muster_domain::refusal::field_refusal;
use muster_domain::time::to_pb;
use muster_domain::{AggregateId, Refusal};
use muster_eventlog::{DecideError, Decided};
use muster_runtime::secrets::Owner;
use muster_runtime::{Call, Context, IntoStatus, refused, unavailable};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::{Bindings, app_of};
use crate::channels::slack::Slack;
use crate::channels::{Limits, Outgoing};
use crate::routes::Routes;

/// Forty bits, in letters and digits that are not taken for each other.
const CODE_LENGTH: usize = 8;
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Binds, confirms, unbinds, lists.
#[derive(Clone)]
pub(crate) struct Binder {
    ctx: Context,
    routes: Routes,
    bindings: Bindings,
    /// `None`: the service runs without Slack.
    slack: Option<Arc<Slack>>,
}

impl Binder {
    pub(crate) fn new(ctx: &Context, routes: &Routes) -> Self {
        let outgoing = Outgoing::new(&ctx.config.webhooks.allow_private_addresses, Limits::default());
        let slack = outgoing.map(|outgoing| Arc::new(Slack::new(outgoing, ctx.secrets.clone())));
        // The same as the channels are made of; where it fails they fail, and the start with them.
        Self { ctx: ctx.clone(), routes: routes.clone(), bindings: routes.bindings.clone(), slack: slack.ok() }
    }

    /// The code goes to the account, its digest into the log.
    pub(crate) async fn bind(&self, call: Call<BindChatRequest>) -> Result<BindChatResponse, Status> {
        let (asked, call) = call.split();
        check_user(&asked.user).map_err(|refusal| refused(&refusal))?;
        let (app, token) = self.app(&call, &asked.route)?;
        let slack = self.slack.as_ref().ok_or_else(|| unavailable("Slack", "ask who runs Muster"))?;
        let unreachable = |what: &'static str| {
            move |failure: muster_domain::delivery::Failure| {
                tracing::warn!(error = %failure, what, "Slack did not take it");
                unavailable(what, "check the route with `muster notify test`, and the member id, then try again")
            }
        };
        let team = slack.team(&app.api_url, &token, call.now).await.map_err(unreachable("Slack's workspace"))?;
        let code = new_code()?;
        let question = ChatBindingAsked {
            channel: routing::SLACK.to_owned(),
            team: team.id.clone(),
            user: asked.user.clone(),
            person: Some(call.actor.clone()),
            code_sha256: digest(&code),
            expires_at: None,
        };
        let id = AggregateId::from(binding_id(call.tenant.as_str(), routing::SLACK, &team.id, &asked.user));
        let decide = |binding: &ChatBinding| chat_binding::ask(binding, question.clone(), call.now);
        let decided = self.decide(&call, &id, &asked.idempotency_key, decide).await?;
        let text = format!(
            "{} wants to bind this account in Muster. The code is {code}. It lasts {} minutes. If that was not you, do \
             nothing, and tell your security team.",
            call.actor.name,
            CODE_LASTS.as_mins()
        );
        slack.direct(&app.api_url, &token, &asked.user, &text, call.now).await.map_err(unreachable("the account"))?;
        let expires_at = Some(to_pb(call.now + CODE_LASTS));
        Ok(BindChatResponse { binding_id: id.to_string(), expires_at, version: decided.sequence })
    }

    pub(crate) async fn confirm(&self, call: Call<ConfirmChatRequest>) -> Result<ConfirmChatResponse, Status> {
        let (asked, call) = call.split();
        let id = id_of(&asked.binding_id)?;
        let code = digest(asked.code.trim());
        let decide = |binding: &ChatBinding| chat_binding::confirm(binding, &call.actor.id, &code, call.now);
        let decided = self.decide(&call, &id, &asked.idempotency_key, decide).await?;
        Ok(ConfirmChatResponse { binding: decided.state.view(id.as_str()), version: decided.sequence })
    }

    pub(crate) async fn unbind(&self, call: Call<UnbindChatRequest>) -> Result<UnbindChatResponse, Status> {
        let (asked, call) = call.split();
        let id = id_of(&asked.binding_id)?;
        let decide = |binding: &ChatBinding| chat_binding::unbind(binding, &call.actor, call.now);
        let decided = self.decide(&call, &id, &asked.idempotency_key, decide).await?;
        Ok(UnbindChatResponse { version: decided.sequence })
    }

    pub(crate) async fn list(&self, call: Call<ListChatBindingsRequest>) -> ListChatBindingsResponse {
        self.bindings.reached(&call.tenant, call.message.min_version).await;
        let bound = self.bindings.of(&call.tenant);
        ListChatBindingsResponse { bindings: bound.iter().filter_map(|(id, binding)| binding.view(id)).collect() }
    }

    /// The app of the named route, which is the tenant's app for messages to single people.
    fn app(&self, call: &Call<()>, route: &str) -> Result<(SlackChannel, SecretString), Status> {
        let found = self.routes.with_documents(&call.tenant, |documents| {
            app_of(documents).filter(|(name, _)| route.is_empty() || *name == route).map(|(_, app)| app.clone())
        });
        let app = found.flatten().ok_or_else(|| refused(&no_app(route)))?;
        let token = self.ctx.secrets.resolve(Owner::Tenant(&call.tenant), &app.token_ref).map_err(|error| {
            tracing::error!(tenant = %call.tenant, %error, "the token of the tenant's Slack app cannot be read");
            unavailable("the token of the Slack route", "ask who runs Muster to look at the secret")
        })?;
        Ok((app, token))
    }

    async fn decide(
        &self,
        call: &Call<()>,
        id: &AggregateId,
        key: &str,
        decide: impl FnMut(&ChatBinding) -> Result<Option<ChatBindingEvent>, Refusal>,
    ) -> Result<Decided<ChatBinding>, Status> {
        let meta = call.meta(key)?;
        match self.ctx.log.decide::<ChatBinding, Refusal>(&call.tenant, id, &meta, decide).await {
            Ok(decided) => Ok(decided),
            Err(DecideError::Refused(why)) if why.field.is_empty() => Err(self.ctx.deny(call, &why, "", "").await),
            Err(DecideError::Refused(why)) => Err(refused(&why)),
            Err(error) => Err(error.into_status()),
        }
    }
}

fn new_code() -> Result<String, Status> {
    let mut bytes = [0_u8; CODE_LENGTH];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| unavailable("the random number generator", "try again"))?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

fn digest(code: &str) -> Vec<u8> {
    Sha256::digest(code.to_ascii_uppercase().as_bytes()).to_vec()
}

fn id_of(text: &str) -> Result<AggregateId, Status> {
    text.parse().map_err(|error: muster_domain::InvalidId| {
        let next = "use the id that `muster chat bind` printed";
        refused(&field_refusal(
            "binding_id",
            "FIELD_INVALID",
            "a binding is named by its id",
            error.value,
            error.rule,
            next,
        ))
    })
}

fn no_app(route: &str) -> Refusal {
    field_refusal(
        "route",
        "CHAT_ROUTE_UNFIT",
        "people are written to through the tenant's first Slack route with a signingSecretRef",
        route.chars().take(80).collect::<String>(),
        "that route, or nothing",
        "declare signingSecretRef on the Slack route of the workspace, or leave the route out",
    )
}
