//! One execution at a time on each resource, whatever the requests say.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::execution::v1::{ReservationEvent, ResourceReleased, ResourceReserved, reservation_event::Event};
use crate::refusal::{Refusal, refusal};

/// Who holds a resource. Aggregate id: the resource's name.
#[derive(Debug, Clone, Default)]
pub struct Reservation {
    pub held_by: Option<String>,
}

impl EventKind for ReservationEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Reserved(_)) => "resource.reserved",
            Some(Event::Released(_)) => "resource.released",
            Some(Event::CoolDownBegun(_)) => "resource.cool_down_begun",
            Some(Event::CoolDownAcknowledged(_)) => "resource.cool_down_acknowledged",
            None => "unset",
        }
    }
}

impl Aggregate for Reservation {
    const KIND: &'static str = "reservation";
    type Event = ReservationEvent;

    fn evolve(&mut self, event: &ReservationEvent) {
        match &event.event {
            Some(Event::Reserved(reserved)) => self.held_by = Some(reserved.request_id.clone()),
            Some(Event::Released(released)) if self.held_by.as_deref() == Some(&released.request_id) => {
                self.held_by = None
            }
            Some(Event::Released(_) | Event::CoolDownBegun(_) | Event::CoolDownAcknowledged(_)) | None => {}
        }
    }
}

/// Takes the resource for one request. Held by the same request already: nothing to do.
pub fn reserve(
    reservation: &Reservation,
    resource: &str,
    request_id: &str,
) -> Result<Option<ReservationEvent>, Refusal> {
    match reservation.held_by.as_deref() {
        Some(holder) if holder == request_id => Ok(None),
        Some(holder) => Err(refusal(
            "RESOURCE_BUSY",
            "one execution at a time on each resource",
            format!("{resource} is held by request {holder}"),
            "a resource without a running execution",
            "wait for the other run to end, or stop it",
        )),
        None => Ok(Some(ReservationEvent {
            event: Some(Event::Reserved(ResourceReserved { resource: resource.into(), request_id: request_id.into() })),
        })),
    }
}

/// Gives the resource back.
pub fn release(reservation: &Reservation, resource: &str, request_id: &str) -> Option<ReservationEvent> {
    (reservation.held_by.as_deref() == Some(request_id)).then(|| ReservationEvent {
        event: Some(Event::Released(ResourceReleased { resource: resource.into(), request_id: request_id.into() })),
    })
}
