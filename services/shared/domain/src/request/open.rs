//! Opening a request: what, where to, why.

use jiff::Timestamp;

use super::{EffectivePolicy, MAX_TEXT, MAX_TICKET, Request, optional_text, required_text, type_name};
use crate::inventory::platform::{credentials, needs_agents, nodes};
use crate::pb::common::v1::Actor;
use crate::pb::inventory::v1::{Document, ResourceSpec, document};
use crate::pb::request::v1::{RequestEvent, RequestOpened, RequestType, request_event::Event};
use crate::refusal::{Refusal, field_refusal};
use crate::time::to_pb;

/// What the operator asks for.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    pub request_id: String,
    pub kind: RequestType,
    pub target_site: String,
    pub reason: String,
    pub ticket: String,
}

/// Opens a request on a declared resource. Asking again with the same id changes nothing.
pub fn open(
    request: &Request,
    command: &OpenRequest,
    resource: &Document,
    policy: &EffectivePolicy,
    requester: &Actor,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    if request.exists() {
        return Ok(None);
    }
    let spec = movable(resource)?;
    let from_site = from_site(spec, &command.target_site)?;
    if command.kind == RequestType::Unspecified {
        return Err(field_refusal(
            "type",
            "FIELD_INVALID",
            "a request says what kind of move it is",
            "unspecified",
            "switchover, failover",
            "choose switchover when both sides are healthy, failover when the primary is lost",
        ));
    }
    required_text("reason", &command.reason, MAX_TEXT, "what approvers decide on, so it is needed")?;
    optional_text("ticket", &command.ticket, MAX_TICKET)?;
    if policy.require_ticket {
        required_text("ticket", &command.ticket, MAX_TICKET, "required by the tenant's policy")?;
    }

    let phrase = confirmation_phrase(command.kind, &resource.name, from_site, &command.target_site);
    Ok(Some(RequestEvent {
        event: Some(Event::Opened(RequestOpened {
            request_id: command.request_id.clone(),
            r#type: command.kind.into(),
            resource: resource.name.clone(),
            from_site: from_site.to_owned(),
            target_site: command.target_site.clone(),
            reason: command.reason.trim().to_owned(),
            ticket: command.ticket.trim().to_owned(),
            tier: spec.tier,
            environment: spec.environment,
            requester: Some(requester.clone()),
            policy: Some(policy.policy.clone()),
            expires_at: Some(to_pb(now + policy.expires_after)),
            confirmation_phrase: phrase,
            resource_version: resource.version,
            opened_at: Some(to_pb(now)),
            ..RequestOpened::default()
        })),
    }))
}

/// A key that was used stands for what was asked then. Answering another question with that request would look like a yes.
pub fn same_question(request: &Request, command: &OpenRequest, resource: &str) -> Result<(), Refusal> {
    let Some(opened) = &request.view.opened else { return Ok(()) };
    let asked = (command.kind, resource, command.target_site.as_str(), command.reason.trim(), command.ticket.trim());
    let kept = (
        opened.r#type(),
        opened.resource.as_str(),
        opened.target_site.as_str(),
        opened.reason.as_str(),
        opened.ticket.as_str(),
    );
    if asked == kept {
        return Ok(());
    }
    Err(field_refusal(
        "idempotency_key",
        "IDEMPOTENCY_KEY_REUSED",
        "a repeated key means the same request",
        format!("the key of request {}, which asks for something else", opened.request_id),
        "the same type, resource, target, reason and ticket",
        "look at that request; ask for another one with a new key (reload the page)",
    ))
}

/// The phrase names the resource and the direction, so that nobody types it for the wrong system.
pub fn confirmation_phrase(kind: RequestType, resource: &str, from_site: &str, target_site: &str) -> String {
    format!("{} {resource} from {from_site} to {target_site}", type_name(kind))
}

fn movable(resource: &Document) -> Result<&ResourceSpec, Refusal> {
    let refuse = |value: &str, next: &str| {
        Err(field_refusal(
            "resource",
            "RESOURCE_NOT_MOVABLE",
            "only a declared resource with an execution account and host agents can be moved",
            value,
            "a resource with `execute` credentials and an agent on each node",
            next,
        ))
    };
    let Some(document::Spec::ResourceSpec(spec)) = resource.spec.as_ref().filter(|_| !resource.retired) else {
        return refuse("not declared or retired", "check `muster get resources`");
    };
    match &spec.platform {
        Some(platform) if credentials(platform).execute.is_none() => {
            refuse("monitoring only (no `execute` credential)", "add `execute` to the manifest and apply it")
        }
        Some(platform) if needs_agents(platform) && nodes(platform).iter().any(|node| node.agent.is_empty()) => {
            refuse("a node without a host agent", "name an agent of the executor's configuration on each node")
        }
        Some(_) => Ok(spec),
        None => refuse("no platform", "declare its platform"),
    }
}

/// The site it leaves: the one of its two sites that is not the target.
fn from_site<'a>(spec: &'a ResourceSpec, target: &str) -> Result<&'a str, Refusal> {
    if target == spec.dr_site && target != spec.primary_site {
        return Ok(&spec.primary_site);
    }
    if target == spec.primary_site && target != spec.dr_site {
        return Ok(&spec.dr_site);
    }
    Err(field_refusal(
        "target_site",
        "SITE_UNKNOWN",
        "the target is one of the resource's two sites",
        target,
        format!("{} or {}", spec.primary_site, spec.dr_site),
        "name the site it shall run on afterwards",
    ))
}
