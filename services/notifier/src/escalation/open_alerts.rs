//! The open alerts of one system, with the event that says last how it stands.

use std::collections::BTreeMap;

use muster_domain::Aggregate;
use muster_domain::pb::readiness::v1::{ReadinessEvent, readiness_event::Event};
use muster_domain::readiness::Readiness;

/// By the alert's id: the event that opened it, or the newest that changed it. A system has at most one open alert of
/// each kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenAlerts(pub(crate) BTreeMap<String, ReadinessEvent>);

impl Aggregate for OpenAlerts {
    const KIND: &'static str = Readiness::KIND;
    type Event = ReadinessEvent;

    fn evolve(&mut self, event: &ReadinessEvent) {
        match &event.event {
            Some(Event::AlertOpened(e)) => {
                self.0.insert(e.alert_id.clone(), event.clone());
            }
            Some(Event::AlertUpdated(e)) => {
                if let Some(newest) = self.0.get_mut(&e.alert_id) {
                    *newest = event.clone();
                }
            }
            Some(Event::AlertResolved(e)) => {
                self.0.remove(&e.alert_id);
            }
            Some(Event::StatusChanged(_)) | None => {}
        }
    }
}
