//! What became of a request, told to those who were asked.

use muster_domain::AggregateId;
use muster_domain::delivery::{ask, routing};
use muster_domain::request::Request;
use muster_domain::request::intent::{self, Intent};
use muster_eventlog::{ReactError, Record};

use super::{Approvals, Contact, addressee, plan_hash, source};

impl Approvals {
    /// `only`: this person alone, whose own decision it was. Else everybody who was asked.
    pub(super) async fn tell_outcome(&self, record: &Record, only: Option<&str>) -> Result<(), ReactError> {
        let request = self.request(record).await?;
        let Some(message) = ask::outcome(&source(record), &request.view) else { return Ok(()) };
        for contact in self.contacts(record, |contact| only.is_none_or(|person| person == contact.person)) {
            for channel in [routing::EMAIL, routing::SLACK] {
                if self.was_asked(record, &request, &contact, channel).await? {
                    self.tell(record, message.clone(), &contact, channel).await?;
                }
            }
        }
        Ok(())
    }

    /// At any level.
    async fn was_asked(
        &self,
        record: &Record,
        request: &Request,
        contact: &Contact,
        channel: &str,
    ) -> Result<bool, ReactError> {
        let stages = request.view.escalations.iter().map(|escalated| escalated.stage);
        for level in std::iter::once(0).chain(stages) {
            let id = intent::intent_id(&record.id, plan_hash(request), &addressee(record, contact, channel, level));
            let intent = self.ctx.log.load::<Intent>(&record.tenant, &AggregateId::from(id)).await?.state;
            if intent.issued.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
