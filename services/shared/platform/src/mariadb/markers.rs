//! Markers: (history, position) of each node, with the clock they were read by. MariaDB has no timelines: 0.

use futures::future::join_all;
use muster_domain::{
    inventory::platform::{NodeRef, nodes},
    pb::{common::v1::Marker, observation::v1::MariadbFacts},
    readiness::mariadb::{position, received},
    time,
};

use super::work::{Work, is_primary};

pub(super) async fn read(work: &Work<'_>) -> (Vec<Marker>, Vec<String>) {
    let looks = nodes(&work.job.spec).into_iter().map(|node| async move { (node, work.look(&node).await) });
    let (mut markers, mut unavailable) = (Vec::new(), Vec::new());
    for (node, looked) in join_all(looks).await {
        match looked.map_err(|error| error.message).and_then(|facts| marker(work, &node, &facts)) {
            Ok(marker) => markers.push(marker),
            Err(why) => unavailable.push(format!("{}: {why}", node.name)),
        }
    }
    (markers, unavailable)
}

/// A primary's position is what it has; a standby's what it has received, because that is applied before a promotion.
fn marker(work: &Work<'_>, node: &NodeRef<'_>, facts: &MariadbFacts) -> Result<Marker, String> {
    let primary = is_primary(facts);
    let at = if primary { position(facts) } else { received(facts) }.ok_or("it tells no position")?;
    let (read_at, clock) = match facts.server_time {
        Some(at) => (at, "node"),
        None => (time::to_pb((work.job.now)()), "collector"),
    };
    Ok(Marker {
        node: node.name.to_owned(),
        site: node.site.to_owned(),
        system_identifier: at.system_identifier(),
        timeline: 0,
        lsn: at.to_string(),
        read_at: Some(read_at),
        clock: clock.to_owned(),
        role: if primary { "primary" } else { "standby" }.to_owned(),
    })
}
