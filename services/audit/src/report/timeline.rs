//! Every event of the story, in the order of the log, with what is needed to prove it.

use std::collections::BTreeMap;

use muster_domain::{pb::audit::v1::StoryLine, time::from_pb};

use super::{
    make::{name, time},
    model::Moment,
};

pub(super) fn of(lines: &[StoryLine], leaf_hashes: &BTreeMap<u64, String>) -> Vec<Moment> {
    let mut moments: Vec<_> = lines.iter().filter_map(|line| Some((line.record.clone()?, &line.chapter))).collect();
    moments.sort_by_key(|(record, _)| record.sequence);
    let mut before = None;
    let mut timeline = Vec::with_capacity(moments.len());
    for (record, chapter) in moments {
        let at = from_pb(record.time.as_ref());
        // The clocks of two services may differ: a step back is said as it is, not hidden.
        let after_seconds =
            before.zip(at).map(|(before, at): (jiff::Timestamp, _)| at.duration_since(before).as_secs_f64());
        before = at.or(before);
        timeline.push(Moment {
            at: time(record.time.as_ref()),
            after_seconds,
            chapter: chapter.clone(),
            kind: record.r#type,
            who: name(record.actor.as_ref()),
            outcome: record.outcome,
            text: record.reason,
            leaf_hash: leaf_hashes.get(&record.sequence).cloned(),
            sequence: record.sequence,
            event_id: record.event_id,
            payload_sha256: record.payload_sha256,
        });
    }
    timeline
}
