//! Somebody with an administrator's account at the broker.

use anyhow::{Result, ensure};
use async_nats::{
    HeaderMap,
    jetstream::{self, stream},
};
use muster_domain::pb::audit::v1::{StreamChanged, audit_log_event::Event};
use muster_testing::poll::{self, Look};

use crate::stage::{Installation, LIMIT, Stage, tenant};

fn told(what: &'static str, differences: &'static str) -> impl Fn(Event) -> Option<StreamChanged> {
    move |event| match event {
        Event::StreamChanged(changed) if changed.what == what && changed.differences.contains(differences) => {
            Some(changed)
        }
        _ => None,
    }
}

async fn administrator(here: &Installation) -> Result<jetstream::Context> {
    Ok(jetstream::new(async_nats::connect(here.nats.url()).await?))
}

/// Lets the stream forget what is older than its newest 1000 events, while it is watched.
pub(crate) async fn limited(here: &Installation) -> Result<stream::Config> {
    // A change is told once the watch has looked.
    poll::until("the watch to have looked", LIMIT, || async {
        Ok(if here.epoch(1).join("stream").exists() { Look::Found(()) } else { Look::NotYet(()) })
    })
    .await?;
    let jetstream = administrator(here).await?;
    let stream = jetstream.get_stream(here.log.record_stream_name(&tenant())).await?;
    let config = stream::Config { max_messages: 1000, ..stream.cached_info().config.clone() };
    jetstream.update_stream(&config).await?;
    Ok(config)
}

pub(crate) async fn changed(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let name = here.log.record_stream_name(&tenant());
    let stream = administrator(&here).await?.get_stream(&name).await?;
    ensure!(stream.delete_message(5).await.is_err(), "the stream lets a message be deleted");
    ensure!(stream.purge().await.is_err(), "the stream lets itself be purged");

    let mut config = limited(&here).await?;
    let changed = here.says("the change to be recorded", told("updated", "max_msgs: -1 -> 1000")).await?;
    ensure!(changed.config_sha256_before != changed.config_sha256_after, "{changed:?}");
    ensure!(!changed.by.is_empty(), "the advisory says who: {changed:?}");

    // While nobody watches.
    here.stop().await?;
    config.max_messages = 2000;
    administrator(&here).await?.update_stream(&config).await?;
    here.start().await?;
    here.says("it to be found later", told("configuration differs", "max_msgs: 1000 -> 2000")).await?;

    // It is a gap that somebody has to close.
    poll::until("a gap to be open", LIMIT, || async {
        let mut entries = here.log.raw(&tenant(), 0);
        let mut subjects = Vec::new();
        while let Some(batch) = entries.next_until_caught_up().await? {
            subjects.extend(batch.into_iter().map(|entry| entry.subject));
        }
        let opened = subjects.iter().any(|subject| subject.contains(".gap."));
        Ok(if opened { Look::Found(()) } else { Look::NotYet(subjects.len()) })
    })
    .await?;
    // Nothing in the record itself was touched.
    here.covered().await?;
    here.verify_is_good()
}

pub(crate) async fn recreated(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    poll::until("the watch to have looked", LIMIT, || async {
        Ok(if here.epoch(1).join("stream").exists() { Look::Found(()) } else { Look::NotYet(()) })
    })
    .await?;
    here.covered().await?;
    here.verify_is_good()?;
    here.stop().await?;
    let jetstream = administrator(&here).await?;
    let name = here.log.record_stream_name(&tenant());
    let stream = jetstream.get_stream(&name).await?;
    let config = stream.cached_info().config.clone();
    let mut messages = Vec::new();
    for sequence in 1..=here.log.last_sequence(&tenant()).await? {
        messages.push(stream.get_raw_message(sequence).await?);
    }
    jetstream.delete_stream(&name).await?;
    jetstream.create_stream(config).await?;
    for message in messages {
        let mut headers = HeaderMap::new();
        for (name, values) in message.headers.iter().filter(|(name, _)| !name.to_string().starts_with("Nats-")) {
            values.iter().for_each(|value| headers.append(name.clone(), value.clone()));
        }
        jetstream.publish_with_headers(message.subject, headers, message.payload).await?.await?;
    }
    let old = here.key().await?;
    here.start().await?;
    here.says("the watch to see it", told("recreated", "made ")).await?;
    poll::until("an epoch of the new stream", LIMIT, || async {
        Ok(if here.key().await?.name() == old.name() { Look::NotYet(()) } else { Look::Found(()) })
    })
    .await?;
    // A log made anew is an epoch of its own, under the key that its readers know. They have seen other events in the epoch
    // before: the content is the same, the times cannot be.
    here.verify_says(&[], &["event 1 (", "was edited", "time"])
}
