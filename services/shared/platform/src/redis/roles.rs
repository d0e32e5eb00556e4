//! A role that only lives in memory is gone after a restart: the server writes its own configuration.

use muster_domain::inventory::platform::NodeRef;

use super::work::{Work, unreachable};
use crate::StepError;

pub(super) async fn rewrite_configuration(work: &Work<'_>, node: &NodeRef<'_>) -> Result<(), StepError> {
    let mut session = work.session(node).await.map_err(|e| unreachable(node, &e))?;
    session.ask::<String>(&["CONFIG", "REWRITE"]).await.map(drop).map_err(|error| {
        StepError::failed(format!(
            "{} did not write its configuration, so a restart would undo its role: {error}",
            node.name
        ))
    })
}
