//! What schedules say becomes messages.

use muster_domain::delivery::due::{due_time, schedule_message};
use muster_domain::pb::schedule::v1::ScheduleEvent;
use muster_domain::schedule::Occasions;
use muster_eventlog::{ReactError, Record};

use crate::outbox::Narrowing;
use crate::reactor::{Messages, source};

impl Messages {
    pub(crate) async fn schedule(&self, record: &Record) -> Result<(), ReactError> {
        let event: ScheduleEvent = record.decode()?;
        let occasions = match due_time(&event) {
            Some(_) => {
                let invalid = |error: muster_domain::InvalidId| ReactError::Failed(error.to_string());
                let id = record.id.parse().map_err(invalid)?;
                self.log.load::<Occasions>(&record.tenant, &id).await?.state
            }
            None => Occasions::default(),
        };
        let fired = due_time(&event).and_then(|due| occasions.at(due));
        match schedule_message(&source(record), &record.id, &event, fired) {
            Some(message) => self.tell(record, &message, &Narrowing::default()).await,
            None => Ok(()),
        }
    }
}
