//! Writers that try both nodes all the time and remember what was acknowledged.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fixture::Fixture;

/// Numbers that no two tries share.
static NEXT: AtomicU64 = AtomicU64::new(1);

pub(crate) fn number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[derive(Debug, Default)]
pub(crate) struct Written {
    pub acknowledged: BTreeSet<u64>,
    /// Looks at which both nodes acknowledged a write.
    pub double: u32,
    pub looks: u32,
}

pub(crate) struct Load {
    stop: CancellationToken,
    writer: JoinHandle<Written>,
}

impl Load {
    /// Writes to "a", to "b", and to "a" again: all three acknowledged are two primaries at once.
    pub(crate) fn start<F: Fixture>(fixture: &Arc<F>) -> Self {
        let stop = CancellationToken::new();
        let (fixture, stopped) = (fixture.clone(), stop.clone());
        let writer = tokio::spawn(async move {
            let mut written = Written::default();
            while !stopped.is_cancelled() {
                let mut accepted = [false; 3];
                for (accepted, node) in accepted.iter_mut().zip(["a", "b", "a"]) {
                    let number = number();
                    *accepted = fixture.write(node, number).await;
                    if *accepted {
                        written.acknowledged.insert(number);
                    }
                }
                written.looks += 1;
                written.double += u32::from(accepted == [true; 3]);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            written
        });
        Self { stop, writer }
    }

    pub(crate) async fn end(self) -> Written {
        self.stop.cancel();
        let written = self.writer.await.unwrap();
        assert_eq!(written.double, 0, "two nodes accepted writes in {} of {} looks", written.double, written.looks);
        assert!(written.looks > 5 && !written.acknowledged.is_empty(), "the load wrote nothing: {written:?}");
        written
    }
}
