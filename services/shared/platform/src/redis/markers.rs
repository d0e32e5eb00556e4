//! Markers: (history, position) of each node, with the clock they were read by.

use futures::future::join_all;
use muster_domain::{
    inventory::platform::NodeRef,
    pb::{common::v1::Marker, observation::v1::RedisFacts},
    time,
};

use super::work::{Work, is_primary};

pub(super) async fn read(work: &Work<'_>) -> (Vec<Marker>, Vec<String>) {
    let looks = [work.from, work.target].map(|node| async move { (node, work.look(&node).await) });
    let (mut markers, mut unavailable) = (Vec::new(), Vec::new());
    for (node, looked) in join_all(looks).await {
        match looked.map_err(|error| error.message).and_then(|look| marker(work, &node, &look.facts)) {
            Ok(marker) => markers.push(marker),
            Err(why) => unavailable.push(format!("{}: {why}", node.name)),
        }
    }
    (markers, unavailable)
}

/// Positions of different histories cannot be compared; a replica's history is its primary's.
fn marker(work: &Work<'_>, node: &NodeRef<'_>, facts: &RedisFacts) -> Result<Marker, String> {
    let (read_at, clock) = match facts.server_time {
        Some(at) => (at, "node"),
        None => (time::to_pb((work.job.now)()), "collector"),
    };
    Ok(Marker {
        node: node.name.to_owned(),
        site: node.site.to_owned(),
        system_identifier: facts.replid.clone(),
        timeline: 0,
        lsn: facts.offset.ok_or("it tells no position")?.to_string(),
        read_at: Some(read_at),
        clock: clock.to_owned(),
        role: if is_primary(facts) { "primary" } else { "standby" }.to_owned(),
    })
}
