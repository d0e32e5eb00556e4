//! Publishes observations at a steady rate, as the connector does: several in one message.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use jiff::Timestamp;
use muster_domain::pb::observation::v1::ObservationBatch;
use muster_eventlog::EventLog;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::fleet::Fleet;
use crate::{settings::Settings, stack::Nats};

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mode {
    /// All systems are well.
    Healthy,
    /// They break and recover.
    Breaking,
    Stop,
}

/// One message that was published.
pub(super) struct Sent {
    /// Right before it was handed to the log.
    pub(super) at: Timestamp,
    /// Its place in the stream.
    pub(super) sequence: u64,
    pub(super) observations: usize,
    /// The systems that it is the first to show as broken.
    pub(super) breaks: Vec<String>,
    /// It belongs to the part that is measured.
    pub(super) breaking: bool,
}

pub(super) struct Collector {
    mode: watch::Sender<Mode>,
    breaks: Arc<AtomicUsize>,
    task: JoinHandle<Result<Vec<Sent>>>,
}

impl Collector {
    pub(super) fn start(nats: &Nats, fleet: Fleet, settings: &Settings) -> Self {
        let (mode, modes) = watch::channel(Mode::Healthy);
        let breaks = Arc::<AtomicUsize>::default();
        let work = Work {
            log: nats.log.clone(),
            tenant: nats.tenant.to_string(),
            fleet,
            every: settings.message_every,
            per_second: settings.observations_per_second as f64,
            breaks: breaks.clone(),
        };
        Self { mode, breaks, task: tokio::spawn(work.run(modes)) }
    }

    pub(super) fn switch(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(super) fn breaks_published(&self) -> usize {
        self.breaks.load(Ordering::Relaxed)
    }

    pub(super) async fn stop(self) -> Result<Vec<Sent>> {
        self.switch(Mode::Stop);
        self.task.await?
    }
}

struct Work {
    log: EventLog,
    tenant: String,
    fleet: Fleet,
    every: Duration,
    per_second: f64,
    breaks: Arc<AtomicUsize>,
}

impl Work {
    async fn run(mut self, modes: watch::Receiver<Mode>) -> Result<Vec<Sent>> {
        let mut ticks = interval(self.every);
        // The rate holds on average, also when the machine was busy for a moment.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut publishing, mut owed) = (JoinSet::new(), 0.0);
        loop {
            ticks.tick().await;
            let mode = *modes.borrow();
            if mode == Mode::Stop {
                break;
            }
            owed += self.per_second * self.every.as_secs_f64();
            let (batch, breaks) = self.batch(owed as usize, mode == Mode::Breaking);
            owed -= batch.observations.len() as f64;
            // A slow acknowledgement does not hold up the next message.
            publishing.spawn(publish(self.log.clone(), batch, breaks, mode == Mode::Breaking));
        }
        let mut sent = Vec::new();
        while let Some(published) = publishing.join_next().await {
            sent.push(published??);
        }
        Ok(sent)
    }

    fn batch(&mut self, size: usize, breaking: bool) -> (ObservationBatch, Vec<String>) {
        let (mut observations, mut breaks) = (Vec::with_capacity(size), Vec::new());
        for _ in 0..size {
            let look = self.fleet.look(breaking, Timestamp::now());
            if look.breaks {
                breaks.push(look.observation.resource.clone());
            }
            observations.push(look.observation);
        }
        self.breaks.fetch_add(breaks.len(), Ordering::Relaxed);
        let batch =
            ObservationBatch { tenant: self.tenant.clone(), collector: "connector/bench".to_owned(), observations };
        (batch, breaks)
    }
}

async fn publish(log: EventLog, batch: ObservationBatch, breaks: Vec<String>, breaking: bool) -> Result<Sent> {
    let at = Timestamp::now();
    let sequence = log.publish_observations(&batch).await?;
    Ok(Sent { at, sequence, observations: batch.observations.len(), breaks, breaking })
}
