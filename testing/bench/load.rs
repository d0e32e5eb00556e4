//! Loading one aggregate among many, beside reading messages from JetStream without any of our code.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_domain::execution::Execution;

use crate::{
    history::{self, EXECUTION_EVENTS, story_id},
    report::{self, Measured, count, millis, ratio},
    settings::Settings,
    stack::Nats,
};

/// Far apart and never the same twice in a row, so that no cache of one place helps.
const STRIDE: usize = 1_499;

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let nats = Nats::start().await?;
    let stories = history::fill(&nats, settings.load_events).await?;
    let mut stream = nats.stream().await?;
    let events = stream.info().await?.state.messages;
    report::title(&format!("load: one aggregate of {EXECUTION_EVENTS} events among {}", count(events as f64)));

    let mut kinds: [Measured; 3] = Default::default();
    for turn in 0..settings.turns {
        let [one, each, load] = &mut kinds;
        let stories = Stories { count: stories, last: turn };
        take_turn(one, settings.turn, stories, async |story| raw(&stream, story, 1).await).await?;
        take_turn(each, settings.turn, stories, async |story| raw(&stream, story, EXECUTION_EVENTS).await).await?;
        take_turn(load, settings.turn, stories, async |story| whole(&nats, story).await).await?;
    }
    let names = ["raw read of one event", "raw reads of its events, one by one", "load"];
    let one = kinds[0].percentile(50.0).as_secs_f64();
    let row = |(name, measured): (&str, &Measured)| {
        let p50 = measured.percentile(50.0);
        vec![
            name.to_owned(),
            count(measured.per_second()),
            millis(p50),
            millis(measured.percentile(99.0)),
            ratio(p50.as_secs_f64() / one),
        ]
    };
    let header = ["what", "aggregates/s", "p50", "p99", "p50 in raw reads"];
    report::table(&header, names.into_iter().zip(&kinds).map(row).collect());
    Ok(())
}

#[derive(Clone, Copy)]
struct Stories {
    count: usize,
    last: usize,
}

impl Stories {
    fn next(&mut self) -> usize {
        self.last = (self.last + STRIDE) % self.count;
        self.last
    }
}

/// One after the other, for so long.
async fn take_turn(
    measured: &mut Measured,
    duration: Duration,
    mut stories: Stories,
    operation: impl AsyncFn(usize) -> Result<()>,
) -> Result<()> {
    let (started, mut latencies) = (Instant::now(), Vec::new());
    while started.elapsed() < duration {
        let began = Instant::now();
        operation(stories.next()).await?;
        latencies.push(began.elapsed());
    }
    measured.add_turn(latencies, started.elapsed());
    Ok(())
}

/// The first events of an execution, each by a direct get.
async fn raw(stream: &async_nats::jetstream::stream::Stream, story: usize, events: usize) -> Result<()> {
    let id = story_id(story)?;
    for version in 1..=events {
        stream.direct_get_last_for_subject(format!("rec.bench.execution.{id}.{version}")).await?;
    }
    Ok(())
}

async fn whole(nats: &Nats, story: usize) -> Result<()> {
    let loaded = nats.log.load::<Execution>(&nats.tenant, &story_id(story)?).await?;
    ensure!(loaded.version == EXECUTION_EVENTS as u64, "{} events of story {story} were loaded", loaded.version);
    Ok(())
}
