//! Messages of their own for approvers: each person whose approval is missing is asked, with a link that is theirs
//! alone, and hears what became of it.
//!
//! Architecture Invariant: nothing here decides. A link leads to a page that asks for a login; the approval service
//! makes the decision. The link's token is made when a message is sent and is in no event, timer, list or log.

mod alarm;
pub(crate) mod chat;
pub(crate) mod copies;
mod link;
mod outcome;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use muster_domain::delivery::ask::{self, Seen};
use muster_domain::delivery::message::MAX_LIST;
use muster_domain::delivery::{Message, Source, personal, routing};
use muster_domain::ids::derived_id;
use muster_domain::inventory::{Declared, TenantInventory};
use muster_domain::pb::inventory::v1::{ContactSpec, Kind, document::Spec};
use muster_domain::pb::readiness::v1::Assessment;
use muster_domain::pb::request::v1::{RequestEvent, request_event::Event};
use muster_domain::readiness::Readiness;
use muster_domain::request::intent::{self, Addressee, Intent};
use muster_domain::request::{self, Request};
use muster_domain::{Aggregate, AggregateId};
use muster_eventlog::{ReactError, Reactor, Record, run_reactor};
use muster_runtime::{Context, IntentLinks, Service, look};

use crate::outbox::{Cause, Narrowing, Outbox};

pub(crate) use link::{Ways, ways};

/// People asked about one request. A tenant with more contacts in one role has a list, not approvers.
const MAX_ASKED: usize = 50;

/// Asks, and tells the outcome.
pub(crate) struct Approvals {
    ctx: Context,
    outbox: Outbox,
    links: IntentLinks,
}

/// A contact as it is declared now.
struct Contact {
    name: String,
    spec: ContactSpec,
}

/// The tasks of this folder.
pub(crate) fn add_to(service: Service, ctx: &Context, outbox: &Outbox) -> Service {
    let links = IntentLinks::new(&ctx.config.approval, ctx.secrets.clone());
    let approvals = Arc::new(Approvals { ctx: ctx.clone(), outbox: outbox.clone(), links });
    let alarm = Arc::new(alarm::Alarm::follow(ctx, outbox));
    let (asking, watching) = (ctx.clone(), ctx.clone());
    service
        .http(chat::router(ctx, &outbox.routes))
        .task("approvers' messages", move || {
            run_reactor(asking.log.clone(), asking.db.clone(), approvals.clone(), asking.shutdown.clone())
        })
        .task("refused links", move || {
            run_reactor(watching.log.clone(), watching.db.clone(), alarm.clone(), watching.shutdown.clone())
        })
}

#[async_trait]
impl Reactor for Approvals {
    fn name(&self) -> &'static str {
        "notifier.approvals"
    }

    fn kinds(&self) -> &'static [&'static str] {
        // The inventory is among them for its order: a contact declared before a request is asked about it.
        &[Request::KIND, Declared::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        self.outbox.routes.caught_up().await;
        if record.kind == Declared::KIND {
            self.outbox.routes.reached(record).await;
            return Ok(());
        }
        let event = record.decode::<RequestEvent>()?.event;
        match event {
            Some(Event::Opened(_)) => Box::pin(self.ask(record, 0)).await,
            Some(Event::Escalated(escalated)) => Box::pin(self.ask(record, escalated.stage)).await,
            Some(Event::Approved(approved)) if !approved.completes => {
                let approver = approved.approver.map(|approver| approver.id).unwrap_or_default();
                Box::pin(self.tell_outcome(record, Some(&approver))).await
            }
            Some(
                Event::Approved(_)
                | Event::Denied(_)
                | Event::Withdrawn(_)
                | Event::Expired(_)
                | Event::BreakGlassLapsed(_),
            ) => Box::pin(self.tell_outcome(record, None)).await,
            Some(Event::Confirmed(confirmed)) if confirmed.break_glass => {
                Box::pin(self.tell_outcome(record, None)).await
            }
            Some(
                Event::Confirmed(_)
                | Event::CheckOverridden(_)
                | Event::BreakGlassReviewed(_)
                | Event::BreakGlassReviewOverdue(_),
            )
            | None => Ok(()),
        }
    }
}

impl Approvals {
    /// Asks everybody whose approval is missing now; who was asked at this level already is not asked again.
    async fn ask(&self, record: &Record, level: u32) -> Result<(), ReactError> {
        let request = self.request(record).await?;
        let asked: Vec<Contact> = self.contacts(record, |contact| intent::asked_now(&request.view, contact));
        if asked.is_empty() {
            return Ok(());
        }
        let looks = self.looks(record, &request).await?;
        let seen: Vec<Seen<'_>> = looks.iter().map(|(resource, look)| Seen { resource, look: look.as_ref() }).collect();
        let now = self.ctx.clock.now();
        let Some(message) = ask::asked(&source(record), &request.view, &seen, level, now) else { return Ok(()) };
        for contact in asked {
            for channel in self.channels(record, &request) {
                let Some(intent_id) = self.issue(record, &request, &contact, channel, level).await? else { continue };
                self.tell(record, Message { intent_id, ..message.clone() }, &contact, channel).await?;
            }
        }
        Ok(())
    }

    /// Records the intent before the message that carries its link. `None`: the request is closed by now. Without a
    /// key there is no link, and the message leads to the request's page.
    async fn issue(
        &self,
        record: &Record,
        request: &Request,
        contact: &Contact,
        channel: &'static str,
        level: u32,
    ) -> Result<Option<String>, ReactError> {
        if !self.leads(record, &route_of(contact, channel)) {
            return Ok(None);
        }
        if !self.links.is_configured() {
            return Ok(request.is_open().then(String::new));
        }
        let to = addressee(record, contact, channel, level);
        let id = intent::intent_id(&record.id, plan_hash(request), &to);
        let event_id = derived_id(&["intent.issued", record.tenant.as_str(), &id.to_string()]);
        let meta = self.ctx.service_meta(crate::NAME, event_id, record.correlation, Some(record.event_id));
        let now = self.ctx.clock.now();
        let decide = |intent: &Intent| Ok::<_, Infallible>(intent::issue(intent, request, &to, now));
        let decided = self.ctx.log.decide::<Intent, _>(&record.tenant, &AggregateId::from(id), &meta, decide).await?;
        Ok(decided.state.issued.map(|issued| issued.intent_id))
    }

    /// By e-mail always, by chat as far as the tenant has opted in.
    fn channels(&self, record: &Record, request: &Request) -> Vec<&'static str> {
        let tier = request.view.opened.as_ref().map(|opened| opened.tier()).unwrap_or_default();
        let opted_in = |documents: &TenantInventory| chat::is_opted_in(documents, tier);
        match self.outbox.routes.with_documents(&record.tenant, opted_in) {
            Some(true) => vec![routing::EMAIL, routing::SLACK],
            Some(false) | None => vec![routing::EMAIL],
        }
    }

    /// Whether this way leads to the person at all: an account may not be bound.
    fn leads(&self, record: &Record, route: &str) -> bool {
        self.outbox.routes.of(&record.tenant).iter().any(|known| known.name == route)
    }

    async fn tell(
        &self,
        record: &Record,
        message: Message,
        contact: &Contact,
        channel: &'static str,
    ) -> Result<(), ReactError> {
        let message = Message {
            only_routes: vec![route_of(contact, channel)],
            language: contact.spec.language.clone(),
            ..message
        };
        let cause = Cause { correlation: record.correlation, event: record.event_id };
        self.outbox.tell(&record.tenant, &message, cause, &Narrowing::default()).await
    }

    async fn request(&self, record: &Record) -> Result<Request, ReactError> {
        Ok(self.ctx.log.load::<Request>(&record.tenant, &id_of(&record.id)?).await?.state)
    }

    /// How each system stands now, as many as a message lists.
    async fn looks(&self, record: &Record, request: &Request) -> Result<Vec<(String, Option<Assessment>)>, ReactError> {
        let Some(opened) = &request.view.opened else { return Ok(Vec::new()) };
        let names: Vec<&str> = request::resources(opened).into_iter().take(MAX_LIST).collect();
        let mut recorded = BTreeMap::new();
        for name in &names {
            let readiness = self.ctx.log.load::<Readiness>(&record.tenant, &id_of(name)?).await?.state;
            recorded.insert(*name, readiness.assessment);
        }
        let asked = self.outbox.routes.with_documents(&record.tenant, |documents| {
            let of = |name: &&str| {
                let (_, spec) = documents.resource(name)?;
                let policies = documents.policies().map(|(_, policy)| policy);
                Some(look::Asked::new(name, spec, policies, recorded.get(name).cloned().flatten()))
            };
            names.iter().filter_map(of).collect::<Vec<_>>()
        });
        let asked = asked.unwrap_or_default();
        let mut now = look::as_of_now(&self.ctx.log, &record.tenant, &asked, self.ctx.clock.now()).await;
        // Of one that is not declared any more there is only what was recorded.
        let mut look = |name: &&str| now.remove(*name).or_else(|| recorded.get(*name).cloned().flatten());
        Ok(names.iter().map(|name| ((*name).to_owned(), look(name))).collect())
    }

    fn contacts(&self, record: &Record, wanted: impl Fn(&ContactSpec) -> bool) -> Vec<Contact> {
        let wanted = |documents: &TenantInventory| {
            let contacts = documents.all(Kind::Contact).filter_map(|document| match &document.spec {
                Some(Spec::ContactSpec(spec)) if wanted(spec) => {
                    Some(Contact { name: document.name.clone(), spec: spec.clone() })
                }
                _ => None,
            });
            contacts.take(MAX_ASKED).collect()
        };
        self.outbox.routes.with_documents(&record.tenant, wanted).unwrap_or_default()
    }
}

fn addressee<'a>(record: &'a Record, contact: &'a Contact, channel: &'a str, level: u32) -> Addressee<'a> {
    Addressee { tenant: record.tenant.as_str(), person: &contact.spec.person, channel, level }
}

fn route_of(contact: &Contact, channel: &str) -> String {
    if channel == routing::SLACK { personal::chat_route(&contact.name) } else { personal::mail_route(&contact.name) }
}

fn plan_hash(request: &Request) -> &str {
    let plan = request.view.opened.as_ref().and_then(|opened| opened.plan.as_ref());
    plan.map(|plan| plan.hash.as_str()).unwrap_or_default()
}

fn id_of(text: &str) -> Result<AggregateId, ReactError> {
    text.parse().map_err(|error: muster_domain::InvalidId| ReactError::Failed(error.to_string()))
}

fn source(record: &Record) -> Source {
    Source {
        tenant: record.tenant.to_string(),
        event_id: record.event_id,
        sequence: record.sequence,
        occurred_at: record.time,
    }
}
