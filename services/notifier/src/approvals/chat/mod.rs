//! Chat accounts of approvers: bound by a code, written to, and what is pressed in them.
//!
//! Nothing that is pressed in a chat decides: who holds which role is known from a login alone. See docs/adr/0009.

mod bind;
mod interaction;
mod seen;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use muster_domain::delivery::{ChatBinding, Route, personal, routing};
use muster_domain::inventory::TenantInventory;
use muster_domain::pb::common::v1::Tier;
use muster_domain::pb::inventory::v1::{ContactSpec, Document, SlackChannel, notification_route_spec::Channel};
use muster_domain::pb::notification::v1::ChatBindingEvent;
use muster_domain::request::intent::MessageApprovals;
use muster_domain::{Aggregate, TenantId};
use muster_eventlog::{EventLog, LiveFold, Record, live_fold};
use tokio_util::sync::CancellationToken;

pub(crate) use bind::Binder;
pub(super) use interaction::router;

type Known = Arc<RwLock<BTreeMap<(TenantId, String), ChatBinding>>>;

/// Every tenant's bindings, folded into memory: two for each approver.
#[derive(Clone)]
pub(crate) struct Bindings {
    known: Known,
    fold: Arc<LiveFold>,
}

impl Bindings {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let known = Known::default();
        let folded = known.clone();
        let take_in = move |record: &Record| {
            let Ok(event) = record.decode::<ChatBindingEvent>() else { return };
            let mut known = folded.write().unwrap_or_else(PoisonError::into_inner);
            known.entry((record.tenant.clone(), record.id.clone())).or_default().evolve(&event);
        };
        let fold = live_fold(log, &[ChatBinding::KIND], take_in, shutdown);
        Self { known, fold: Arc::new(fold) }
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up()
    }

    pub(super) async fn reached(&self, tenant: &TenantId, sequence: u64) {
        self.fold.reached(tenant, sequence).await;
    }

    /// The tenant's, with their ids.
    pub(super) fn of(&self, tenant: &TenantId) -> Vec<(String, ChatBinding)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let own = known.iter().filter(|((owner, _), _)| owner == tenant);
        own.map(|((_, id), binding)| (id.clone(), binding.clone())).collect()
    }

    /// Workspace and user.
    fn account_of(&self, tenant: &TenantId, person: &str) -> Option<(String, String)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let own = known.iter().filter(|((owner, _), binding)| owner == tenant && binding.person() == Some(person));
        own.filter_map(|(_, binding)| binding.bound.as_ref().map(|bound| (bound.team.clone(), bound.user.clone())))
            .next()
    }

    /// The way to this contact by chat, where the account is bound and the tenant has an app that can hear of answers.
    pub(crate) fn route(
        &self,
        tenant: &TenantId,
        documents: &TenantInventory,
        document: &Document,
        contact: &ContactSpec,
    ) -> Option<Route> {
        let (_, app) = app_of(documents)?;
        let (team, user) = self.account_of(tenant, &contact.person)?;
        Some(personal::by_chat(document, contact, app, (&team, &user)))
    }
}

/// The tenant's app: the first Slack route, by name, whose signing secret is declared.
fn app_of(documents: &TenantInventory) -> Option<(&str, &SlackChannel)> {
    documents.routes().find_map(|(document, spec)| match &spec.channel {
        Some(Channel::Slack(slack)) if !slack.signing_secret_ref.is_empty() => Some((document.name.as_str(), slack)),
        _ => None,
    })
}

/// The tenant has opted in to messages of this tier to single people by chat.
pub(super) fn is_opted_in(documents: &TenantInventory, tier: Tier) -> bool {
    let rules: Vec<_> = documents.policies().filter_map(|(_, spec)| spec.message_approvals.clone()).collect();
    MessageApprovals::of(rules.iter()).button_decides(routing::SLACK, tier)
}
