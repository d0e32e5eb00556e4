//! A document with all its events: what makes a command that is sent twice answer the same.

use muster_domain::aggregate::Aggregate;
use muster_domain::inventory::Declared;
use muster_domain::pb::inventory::v1::{DocumentDeclared, InventoryEvent, inventory_event::Event};
use muster_eventlog::Loaded;
use uuid::Uuid;

/// The same aggregate as [`Declared`], with its past.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) declared: Declared,
    events: Vec<InventoryEvent>,
}

impl Aggregate for History {
    const KIND: &'static str = Declared::KIND;
    type Event = InventoryEvent;

    fn evolve(&mut self, event: &InventoryEvent) {
        self.declared.evolve(event);
        self.events.push(event.clone());
    }
}

/// A declaration found in a document's past.
pub(crate) struct Recorded<'h> {
    pub(crate) declaration: &'h DocumentDeclared,
    /// It did not exist, or was out of use.
    pub(crate) created: bool,
}

/// The declaration that was recorded under this event id.
pub(crate) fn recorded(loaded: &Loaded<History>, event_id: Uuid) -> Option<Recorded<'_>> {
    let index = loaded.event_ids.iter().position(|id| *id == event_id)?;
    let Some(Event::Declared(declaration)) = &loaded.state.events.get(index)?.event else { return None };
    let before = index.checked_sub(1).and_then(|before| loaded.state.events.get(before));
    let created = before.is_none_or(|before| matches!(before.event, Some(Event::Retired(_))));
    Some(Recorded { declaration, created })
}
