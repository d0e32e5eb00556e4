#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::Duration;

use async_nats::HeaderMap;
use uuid::Uuid;

use super::acks::{Ack, Acks};

fn ack(n: u64) -> Ack {
    let tenant = "acme".parse().unwrap();
    let subject = format!("rec.acme.counter.c.{n}");
    Ack::of(
        &tenant,
        n,
        &subject,
        Uuid::from_u128(u128::from(n)),
        "counter.counted",
        &HeaderMap::new(),
        &n.to_be_bytes(),
    )
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_while_nobody_looks() {
    let acks = Acks::default();
    acks.keep(|| ack(1));
    assert_eq!(acks.len(), 0);
    acks.begin();
    acks.keep(|| ack(1));
    assert_eq!(acks.len(), 1);
    assert!(acks.take_due().is_empty(), "not while the stream may be busy with it");
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(acks.take_due().len(), 1);
    assert_eq!(acks.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_a_moderate_rate_every_event_is_kept() {
    let acks = Acks::default();
    acks.begin();
    for n in 0..100 {
        acks.keep(|| ack(n));
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert_eq!(acks.len(), 100);
}

/// Above the stated rate it is a sample, spread over the whole time, and never more than fits.
#[tokio::test(start_paused = true)]
async fn at_any_rate_memory_is_bounded() {
    let acks = Acks::default();
    acks.begin();
    for n in 0..120_000 {
        acks.keep(|| ack(n));
        if n % 20 == 0 {
            tokio::time::advance(Duration::from_millis(10)).await;
        }
    }
    let kept = acks.len();
    // 60 s at 2,000/s.
    assert!((600..=60 * 40 + 40).contains(&kept), "{kept}");
    tokio::time::advance(Duration::from_secs(10)).await;
    let last = acks.take_due().iter().map(|ack| ack.sequence).max().unwrap();
    assert!(last > 110_000, "the sample ends at {last}");
}
