//! Writers that try both nodes all the time and remember what was acknowledged.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{drive::Beside, fixture::Fixture};

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
}

pub(crate) struct Load(Beside<Written>);

impl Load {
    /// Writes to "a", to "b", and to "a" again: all three acknowledged are two primaries at once.
    pub(crate) fn start<F: Fixture>(fixture: &Arc<F>) -> Self {
        let fixture = fixture.clone();
        Self(Beside::start(Written::default(), move |written| write(fixture.clone(), written)))
    }

    pub(crate) async fn end(self) -> Written {
        let written = self.0.end().await;
        assert_eq!(written.double, 0, "two nodes accepted writes at once");
        assert!(!written.acknowledged.is_empty(), "the load wrote nothing");
        written
    }
}

async fn write<F: Fixture>(fixture: Arc<F>, mut written: Written) -> Written {
    let mut accepted = [false; 3];
    for (accepted, node) in accepted.iter_mut().zip(["a", "b", "a"]) {
        let number = number();
        *accepted = fixture.write(node, number).await;
        if *accepted {
            written.acknowledged.insert(number);
        }
    }
    written.double += u32::from(accepted == [true; 3]);
    written
}
