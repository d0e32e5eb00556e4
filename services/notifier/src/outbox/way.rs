//! What becomes of a message for one recipient: by the route, by the times, by how much there was lately.

use std::collections::{BTreeSet, VecDeque};
use std::sync::PoisonError;

use muster_domain::TenantId;
use muster_domain::delivery::ending::closes_incident;
use muster_domain::delivery::grouping::{Counts, Flapping, Group, Limits};
use muster_domain::delivery::routing::{self, Route, rule};
use muster_domain::delivery::silence::{Fate, Hold};
use muster_domain::delivery::{Decision, Message, Verdict, delivery_id};
use muster_eventlog::ReactError;
use uuid::Uuid;

use super::{Narrowing, Outbox};
use crate::standing;

/// What was decided lately by counting is decided the same way when a reaction is repeated. So many are kept.
const REMEMBERED: usize = 64;

/// What becomes of a message for one recipient.
#[derive(Clone)]
pub(super) enum Way {
    Send,
    /// It says that the system's alert comes and goes.
    SayFlapping(u32),
    Hold(Hold),
    Join(Group),
    Suppress(String),
}

#[derive(Default)]
pub(super) struct Lately {
    counts: Counts,
    decided: VecDeque<(Uuid, Way)>,
    /// Groups whose timers this process has set.
    opened: VecDeque<Uuid>,
}

impl Outbox {
    /// The route's verdict, then the reasons not to send that need more than the route, then the times, then how many
    /// there are.
    pub(super) async fn way(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        narrowing: &Narrowing<'_>,
        route: &Route,
        told: &mut BTreeSet<(&'static str, String, String)>,
    ) -> Result<Way, ReactError> {
        let suppress = |rule: &str| Ok(Way::Suppress(rule.to_owned()));
        let now = self.ctx.clock.now();
        if let Verdict::Suppress(rule) = decision.verdict {
            return suppress(rule);
        }
        let closes = closes_incident(message, decision.channel);
        if !closes && routing::is_too_old(message, now) {
            return suppress(rule::TOO_OLD);
        }
        if let Some(alert) = narrowing.ended_alert
            && !alert.was_told(&self.ctx, tenant, decision, !route.spec.fallback_route.is_empty()).await?
        {
            return suppress(rule::ALERT_NOT_TOLD);
        }
        if self.recipients.is_disabled(tenant, decision, route.declared_at, now).await? {
            return suppress(rule::RECIPIENT_DISABLED);
        }
        if !closes {
            match standing::fate(self, tenant, message, route, now).await? {
                Fate::Suppress(rule) => return Ok(Way::Suppress(rule)),
                Fate::Hold(hold) => return Ok(Way::Hold(hold)),
                Fate::Send => {}
            }
        }
        // The same address with the same secret: another route would say the same to the same people at the same time.
        if !told.insert((decision.channel, decision.recipient.address.clone(), decision.secret_ref.clone())) {
            return suppress(rule::TOLD_ON_ANOTHER_ROUTE);
        }
        Ok(if closes { Way::Send } else { self.among_others(tenant, message, decision, route) })
    }

    /// What is decided by how much there was lately.
    fn among_others(&self, tenant: &TenantId, message: &Message, decision: &Decision, route: &Route) -> Way {
        let now = self.ctx.clock.now();
        let limits = Limits::of(route.spec.grouping.as_ref());
        let id = delivery_id(tenant.as_str(), message.event_id, &decision.route, &decision.recipient.shown);
        let mut lately = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Lately { counts, decided, .. } = lately.entry(tenant.clone()).or_default();
        if let Some((_, way)) = decided.iter().find(|(earlier, _)| *earlier == id) {
            return way.clone();
        }
        let to = format!("{} {}", route.name, decision.recipient.shown);
        let way = match counts.flapping(message, &to, limits, now) {
            Flapping::GoesOn(hold) => Way::Hold(hold),
            flapping => match (counts.group(tenant.as_str(), message, decision, limits, now), flapping) {
                (Some(group), _) => Way::Join(group),
                (None, Flapping::Begins { times }) => Way::SayFlapping(times),
                (None, _) => Way::Send,
            },
        };
        decided.push_back((id, way.clone()));
        if decided.len() > REMEMBERED {
            decided.pop_front();
        }
        way
    }

    pub(crate) fn has_opened(&self, tenant: &TenantId, group: Uuid) -> bool {
        let lately = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        lately.get(tenant).is_some_and(|lately| lately.opened.contains(&group))
    }

    pub(crate) fn opened(&self, tenant: &TenantId, group: Uuid) {
        let mut lately = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = &mut lately.entry(tenant.clone()).or_default().opened;
        opened.push_back(group);
        if opened.len() > REMEMBERED {
            opened.pop_front();
        }
    }
}
