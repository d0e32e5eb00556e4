//! What people are shown of schedules: the calendar ahead by the rules, what was by the table.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Refusal, TenantId,
    pb::inventory::v1::{Document, Kind, ScheduleSpec},
    pb::schedule::v1::{
        GetScheduleResponse, ListCalendarResponse, Occurrence, OccurrenceState, PreviewScheduleResponse, ScheduleView,
    },
    refusal::field_refusal,
    schedule::{Calendar, Fate},
    time::{from_pb, humane, to_pb},
};

use super::{
    Schedules,
    declared::spec_of,
    not_found,
    query::{self, Standing},
};
use crate::{error::CommandError, query as documents, query::Cursor};

/// What one schedule shows of its past.
const SHOWN: i64 = 50;
pub(super) const PREVIEWED: u32 = 10;
const MOST_PREVIEWED: u32 = 100;
const LONGEST_CALENDAR: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Due times of one calendar; a year of a fleet is asked for month by month.
const MOST_LISTED: usize = 2_000;
/// Schedules of one calendar.
const MOST_SCHEDULES: u32 = 2_000;

impl Schedules {
    /// One more than `size`, if there is one.
    pub(super) async fn list(
        &self,
        tenant: &TenantId,
        after: Option<&Cursor>,
        size: u32,
        now: Timestamp,
    ) -> Result<Vec<ScheduleView>, CommandError> {
        let found = documents::list(&self.ctx.db, tenant, Some(Kind::Schedule), false, after, size).await?;
        let names: Vec<String> = found.iter().map(|document| document.name.clone()).collect();
        let mut standing = query::standing(&self.ctx.db, tenant, &names).await?;
        let of = |document: &Document| {
            let known = standing.remove(&document.name).unwrap_or_default();
            Some(view(tenant, document, spec_of(document)?, known, now))
        };
        Ok(found.iter().filter_map(of).collect())
    }

    pub(super) async fn get(
        &self,
        tenant: &TenantId,
        name: &str,
        now: Timestamp,
    ) -> Result<GetScheduleResponse, CommandError> {
        let document = self.document(tenant, name).await?;
        let spec = spec_of(&document).ok_or_else(|| not_found(name))?;
        let known = query::standing(&self.ctx.db, tenant, &[name.to_owned()]).await?.remove(name).unwrap_or_default();
        let mut occurrences = query::of_schedule(&self.ctx.db, tenant, name, SHOWN).await?;
        let calendar = Calendar::of(spec, tenant, name).ok();
        occurrences.iter_mut().for_each(|occurrence| localize(occurrence, spec, calendar.as_ref()));
        Ok(GetScheduleResponse { schedule: Some(view(tenant, &document, spec, known, now)), occurrences })
    }

    /// Of a declared one by its name; else of `spec`, which may have a name for its jitter.
    pub(super) async fn preview(
        &self,
        tenant: &TenantId,
        name: &str,
        spec: Option<ScheduleSpec>,
        count: u32,
        after: Timestamp,
    ) -> Result<PreviewScheduleResponse, CommandError> {
        if count > MOST_PREVIEWED {
            let (rule, limit) = ("a preview is short", format!("1 to {MOST_PREVIEWED}"));
            let next = "ask for fewer, or list the calendar";
            return Err(field_refusal("count", "FIELD_INVALID", rule, count.to_string(), limit, next).into());
        }
        let spec = match (spec, name) {
            (Some(spec), _) => spec,
            (None, "") => return Err(one_of_two().into()),
            (None, name) => {
                let document = self.document(tenant, name).await?;
                spec_of(&document).cloned().ok_or_else(|| not_found(name))?
            }
        };
        let calendar = Calendar::of(&spec, tenant, name)?;
        let count = usize::try_from(if count == 0 { PREVIEWED } else { count }).unwrap_or_default();
        let occurrences = ahead(name, &spec, &calendar, after).take(count).collect();
        Ok(PreviewScheduleResponse { occurrences, in_words: calendar.in_words() })
    }

    pub(super) async fn calendar(
        &self,
        tenant: &TenantId,
        from: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<ListCalendarResponse, CommandError> {
        let length = until.duration_since(from);
        if length <= SignedDuration::ZERO || length > LONGEST_CALENDAR {
            let (rule, limit) = ("a calendar has a length", format!("above 0, at most {}", humane(LONGEST_CALENDAR)));
            let next = "ask for a shorter time";
            return Err(field_refusal("until", "FIELD_INVALID", rule, humane(length), limit, next).into());
        }
        let most = i64::try_from(MOST_LISTED + 1).unwrap_or(i64::MAX);
        let mut occurrences = query::between(&self.ctx.db, tenant, from, until, most).await?;
        let found = documents::list(&self.ctx.db, tenant, Some(Kind::Schedule), false, None, MOST_SCHEDULES).await?;
        let mut cut = found.len() > usize::try_from(MOST_SCHEDULES).unwrap_or(usize::MAX);
        for document in &found {
            let Some(spec) = spec_of(document) else { continue };
            let Ok(calendar) = Calendar::of(spec, tenant, &document.name) else { continue };
            for occurrence in occurrences.iter_mut().filter(|occurrence| occurrence.schedule == document.name) {
                localize(occurrence, spec, Some(&calendar));
            }
            let begin = now.max(from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from));
            let before_end = |occurrence: &Occurrence| from_pb(occurrence.due_at.as_ref()).is_some_and(|at| at < until);
            occurrences.extend(ahead(&document.name, spec, &calendar, begin).take_while(before_end).take(MOST_LISTED));
        }
        occurrences.sort_by_key(|occurrence| (from_pb(occurrence.due_at.as_ref()), occurrence.schedule.clone()));
        cut |= occurrences.len() > MOST_LISTED;
        occurrences.truncate(MOST_LISTED);
        Ok(ListCalendarResponse { occurrences, cut })
    }

    pub(super) async fn document(&self, tenant: &TenantId, name: &str) -> Result<Document, CommandError> {
        let found = documents::get(&self.ctx.db, tenant, Kind::Schedule, name).await?;
        found.filter(|document| !document.retired).ok_or_else(|| not_found(name).into())
    }
}

fn view(tenant: &TenantId, document: &Document, spec: &ScheduleSpec, known: Standing, now: Timestamp) -> ScheduleView {
    let calendar = Calendar::of(spec, tenant, &document.name);
    let next = calendar.as_ref().ok().filter(|_| !spec.suspended).and_then(|calendar| calendar.due_after(now).next());
    let in_words = match &calendar {
        Ok(calendar) => calendar.in_words(),
        Err(refusal) => format!("cannot be read: {}", muster_domain::refusal::describe(refusal)),
    };
    let latest = known.latest.map(|mut latest| {
        localize(&mut latest, spec, calendar.as_ref().ok());
        latest
    });
    ScheduleView {
        name: document.name.clone(),
        spec: Some(spec.clone()),
        version: document.version,
        next_due_at: next.map(to_pb),
        last_due_at: known.last_due_at.map(to_pb),
        last_success_at: known.last_success_at.map(to_pb),
        overdue: known.overdue,
        in_words: if spec.suspended { format!("{in_words} (suspended)") } else { in_words },
        latest,
    }
}

/// What the table does not keep: where it is due, and for what was left out, what it is about.
fn localize(occurrence: &mut Occurrence, spec: &ScheduleSpec, calendar: Option<&Calendar>) {
    if let Some((calendar, at)) = calendar.zip(from_pb(occurrence.due_at.as_ref())) {
        occurrence.local_time = calendar.local(at);
    }
    if occurrence.what.is_empty() {
        occurrence.what.clone_from(&spec.what);
        occurrence.resource.clone_from(&spec.resource);
        occurrence.group.clone_from(&spec.group);
        occurrence.plan.clone_from(&spec.plan);
    }
}

fn ahead<'a>(
    name: &'a str,
    spec: &'a ScheduleSpec,
    calendar: &'a Calendar,
    after: Timestamp,
) -> impl Iterator<Item = Occurrence> + 'a {
    calendar.after(after).map(move |due| {
        let (state, note) = match due.fate {
            Fate::Kept if spec.suspended => (OccurrenceState::Skipped, "the schedule is suspended".to_owned()),
            Fate::Kept => (OccurrenceState::Upcoming, String::new()),
            Fate::Moved { from, because } => {
                (OccurrenceState::Upcoming, format!("moved from {}: {because}", calendar.local(from)))
            }
            Fate::LeftOut { because } => (OccurrenceState::Skipped, because),
        };
        Occurrence {
            schedule: name.to_owned(),
            what: spec.what.clone(),
            resource: spec.resource.clone(),
            group: spec.group.clone(),
            plan: spec.plan.clone(),
            due_at: Some(to_pb(due.at)),
            state: state.into(),
            request_id: String::new(),
            local_time: calendar.local(due.at),
            note,
        }
    })
}

fn one_of_two() -> Refusal {
    let (rule, next) = ("a preview is of a schedule", "name a declared one, or send one");
    field_refusal("name", "FIELD_INVALID", rule, "neither", "a name or a spec", next)
}
