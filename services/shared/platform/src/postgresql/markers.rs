//! Markers: (system, timeline, position) of each node, with the clock they were read by.

use futures::future::join_all;
use muster_domain::{
    pb::{common::v1::Marker, inventory::v1::PostgresqlNode, observation::v1::PostgresqlFacts},
    time,
};

use super::{
    lsn::Lsn,
    work::{Work, is_primary, received},
};

pub(super) async fn read(work: &Work<'_>) -> (Vec<Marker>, Vec<String>) {
    let looks = work.spec.nodes.iter().map(|node| async move { (node, work.look(node).await) });
    let (mut markers, mut unavailable) = (Vec::new(), Vec::new());
    for (node, looked) in join_all(looks).await {
        match looked.map_err(|error| error.message).and_then(|facts| marker(work, node, &facts)) {
            Ok(marker) => markers.push(marker),
            Err(why) => unavailable.push(format!("{}: {why}", node.name)),
        }
    }
    (markers, unavailable)
}

/// A primary's position is what it has written; a standby's what it has on disk, because a promotion
/// applies all of that.
fn marker(work: &Work<'_>, node: &PostgresqlNode, facts: &PostgresqlFacts) -> Result<Marker, String> {
    let primary = is_primary(facts);
    let position = if primary { facts.current_lsn.map(Lsn) } else { received(facts) };
    let position = position.ok_or("it tells no position")?;
    let (read_at, clock) = match facts.server_time {
        Some(at) => (at, "node"),
        None => (time::to_pb((work.job.now)()), "collector"),
    };
    Ok(Marker {
        node: node.name.clone(),
        site: node.site.clone(),
        system_identifier: facts.system_identifier.clone(),
        timeline: facts.timeline.ok_or("its timeline cannot be told")?,
        lsn: position.to_string(),
        read_at: Some(read_at),
        clock: clock.to_owned(),
        role: if primary { "primary" } else { "standby" }.to_owned(),
    })
}
