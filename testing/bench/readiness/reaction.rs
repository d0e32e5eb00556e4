//! The least that reacting to a measurement takes, without any of our code: a reader of the same stream that publishes
//! one message for each it gets, with the same durability.

use anyhow::Result;
use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, pull},
};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use muster_eventlog::shard_of;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::stack::Nats;

/// About as large as a status change with its headers.
const ANSWER: Bytes = Bytes::from_static(&[b'x'; 1_500]);

pub(super) struct Reaction {
    /// The place of what was read.
    pub(super) sequence: u64,
    pub(super) read_at: Timestamp,
    /// The answer is acknowledged.
    pub(super) written_at: Timestamp,
}

pub(super) struct Reactor {
    stop: CancellationToken,
    task: JoinHandle<Result<Vec<Reaction>>>,
}

impl Reactor {
    pub(super) async fn start(nats: &Nats) -> Result<Self> {
        let answers = jetstream::stream::Config {
            name: "RAW_ANSWERS".to_owned(),
            subjects: vec!["answers".to_owned()],
            ..jetstream::stream::Config::default()
        };
        nats.raw.create_stream(answers).await?;
        let stream = nats.raw.get_stream(format!("OBS_{}", shard_of(&nats.tenant))).await?;
        let config = pull::Config {
            ack_policy: AckPolicy::None,
            deliver_policy: DeliverPolicy::New,
            memory_storage: true,
            ..pull::Config::default()
        };
        let messages = stream.create_consumer(config).await?.messages().await?;
        let stop = CancellationToken::new();
        Ok(Self { stop: stop.clone(), task: tokio::spawn(react(nats.raw.clone(), messages, stop)) })
    }

    pub(super) async fn stop(self) -> Result<Vec<Reaction>> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn react(raw: jetstream::Context, mut messages: pull::Stream, stop: CancellationToken) -> Result<Vec<Reaction>> {
    let mut reactions = Vec::new();
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return Ok(reactions),
            message = messages.next() => message,
        };
        let Some(message) = message else { return Ok(reactions) };
        let message = message?;
        let read_at = Timestamp::now();
        let sequence = message.info().map_err(|error| anyhow::anyhow!(error))?.stream_sequence;
        raw.publish("answers", ANSWER).await?.await?;
        reactions.push(Reaction { sequence, read_at, written_at: Timestamp::now() });
    }
}
