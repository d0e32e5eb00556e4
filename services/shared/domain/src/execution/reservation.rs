//! One execution at a time on each resource and each group, whatever the requests say; and the quiet after a failover.

use jiff::{SignedDuration, Timestamp};

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::common::v1::Actor;
use crate::pb::execution::v1::{
    CoolDownAcknowledged, CoolDownBegun, ReservationEvent, ResourceReleased, ResourceReserved, reservation_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::{from_pb, to_pb};

/// Longest note of an acknowledgement.
const MAX_NOTE: usize = 2_000;

/// Who holds a resource or a group. Aggregate id: the resource's name, or [`reservation_of_group`].
#[derive(Debug, Clone, Default)]
pub struct Reservation {
    pub held_by: Option<String>,
    /// A failover succeeded, and nobody has looked yet.
    pub cool_down: Option<CoolDownBegun>,
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
            Some(Event::CoolDownBegun(begun)) => self.cool_down = Some(begun.clone()),
            Some(Event::CoolDownAcknowledged(_)) => self.cool_down = None,
            Some(Event::Released(_)) | None => {}
        }
    }
}

/// The reservation's id of a group.
pub fn reservation_of_group(group: &str) -> String {
    format!("group-{group}")
}

/// Takes the resource for one request. Held by the same request already: nothing to do.
pub fn reserve(
    reservation: &Reservation,
    resource: &str,
    request_id: &str,
    now: Timestamp,
) -> Result<Option<ReservationEvent>, Refusal> {
    match reservation.held_by.as_deref() {
        Some(holder) if holder == request_id => return Ok(None),
        Some(holder) => {
            return Err(refusal(
                "RESOURCE_BUSY",
                "one execution at a time on each resource",
                format!("{resource} is held by request {holder}"),
                "a resource without a running execution",
                "wait for the other run to end, or stop it",
            ));
        }
        None => {}
    }
    cool_down(reservation, resource, now)?;
    Ok(event(Event::Reserved(ResourceReserved { resource: resource.into(), request_id: request_id.into() })))
}

/// After a failover nothing moves the system until a person has looked, or the time of the policy is over.
pub fn cool_down(reservation: &Reservation, resource: &str, now: Timestamp) -> Result<(), Refusal> {
    let Some(begun) = &reservation.cool_down else { return Ok(()) };
    let until = from_pb(begun.until.as_ref());
    if until.is_some_and(|until| now >= until) {
        return Ok(());
    }
    let since = from_pb(begun.begun_at.as_ref()).map_or_else(|| "an unknown time".to_owned(), |at| format!("{at:.0}"));
    Err(refusal(
        "COOL_DOWN",
        "after a failover nothing moves a system until a person has looked at it",
        format!("{resource} was failed over by request {} at {since}", begun.request_id),
        until.map_or_else(
            || "acknowledged by a person".to_owned(),
            |until| format!("acknowledged, or after {until:.0}"),
        ),
        format!("look at {resource}, then `muster cooldown acknowledge {resource} --note …`"),
    ))
}

/// Gives the resource back.
pub fn release(reservation: &Reservation, resource: &str, request_id: &str) -> Option<ReservationEvent> {
    let is_ours = reservation.held_by.as_deref() == Some(request_id);
    is_ours
        .then(|| Event::Released(ResourceReleased { resource: resource.into(), request_id: request_id.into() }))
        .and_then(event)
}

/// The quiet after a failover begins while the run still holds the resource, so that nobody slips in between.
/// `limit`: how long at most; `None`: until somebody acknowledges it.
pub fn begin_cool_down(
    reservation: &Reservation,
    resource: &str,
    request_id: &str,
    limit: Option<SignedDuration>,
    now: Timestamp,
) -> Option<ReservationEvent> {
    let has_begun = reservation.cool_down.as_ref().is_some_and(|begun| begun.request_id == request_id);
    if has_begun || reservation.held_by.as_deref() != Some(request_id) {
        return None;
    }
    event(Event::CoolDownBegun(CoolDownBegun {
        resource: resource.into(),
        request_id: request_id.into(),
        begun_at: Some(to_pb(now)),
        until: limit.and_then(|limit| now.checked_add(limit).ok()).map(to_pb),
    }))
}

/// A person has looked at the system.
pub fn acknowledge_cool_down(
    reservation: &Reservation,
    resource: &str,
    actor: &Actor,
    note: &str,
    now: Timestamp,
) -> Result<Option<ReservationEvent>, Refusal> {
    let length = note.chars().count();
    if note.trim().is_empty() || length > MAX_NOTE {
        return Err(field_refusal(
            "note",
            "FIELD_INVALID",
            "an acknowledgement says what was seen",
            format!("{length} characters"),
            format!("1 to {MAX_NOTE} characters"),
            "say what you looked at",
        ));
    }
    crate::text::must_be_plain("note", note)?;
    if reservation.cool_down.is_none() {
        return Err(refusal(
            "NO_COOL_DOWN",
            "only a cool-down that was begun is acknowledged",
            format!("{resource} is not in a cool-down"),
            "a resource or group after a failover",
            "nothing needs to be done",
        ));
    }
    Ok(event(Event::CoolDownAcknowledged(CoolDownAcknowledged {
        resource: resource.into(),
        actor: Some(actor.clone()),
        note: note.trim().into(),
        acknowledged_at: Some(to_pb(now)),
    })))
}

fn event(event: Event) -> Option<ReservationEvent> {
    Some(ReservationEvent { event: Some(event) })
}
