//! An escalation for people.

use jiff::Timestamp;

use crate::pb::notification::v1::EscalationView;
use crate::time::to_pb;

use super::Escalation;
use super::due::{is_step_next, next_at, next_step};

impl Escalation {
    /// As it is at `now`. `None` before it started.
    pub fn view(&self, now: Timestamp) -> Option<EscalationView> {
        let started = self.started.as_ref()?;
        let next_at = next_at(self, now);
        // Before a repetition nobody new is told.
        let step = next_step(self).filter(|_| next_at.is_some() && is_step_next(self));
        let next_routes = step.map(|step| step.routes.clone());
        let callable = next_step(self).filter(|_| self.ended.is_none()).map(|step| step.routes.clone());
        Some(EscalationView {
            alert_id: started.alert_id.clone(),
            resource: started.resource.clone(),
            message_kind: started.message_kind.clone(),
            severity: started.severity.clone(),
            tier: started.tier,
            environment: started.environment,
            opened_at: started.opened_at,
            ended_at: self.ended.as_ref().and_then(|ended| ended.ended_at),
            acknowledged: self.acknowledged.clone(),
            silenced: self.silenced.clone(),
            step: self.step,
            next_at: next_at.map(to_pb),
            next_routes: next_routes.unwrap_or_default(),
            repetitions: self.repetitions,
            runbook_url: started.rule.as_ref().map(|rule| rule.runbook_url.clone()).unwrap_or_default(),
            callable_routes: callable.unwrap_or_default(),
        })
    }
}
