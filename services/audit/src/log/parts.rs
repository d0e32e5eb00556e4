//! What the logs of one process share.

use std::sync::Arc;

use muster_domain::TenantId;
use muster_logstore::{LogFiles, LogStore};
use muster_runtime::Context;

use super::{
    anchor::Anchors,
    keys::{KeyDirectory, LogKeys},
    status::Board,
    vouch::Witnesses,
    witness,
};

#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) context: Context,
    pub(crate) store: LogStore,
    pub(crate) keys: Arc<dyn LogKeys>,
    pub(crate) witnesses: Arc<dyn Witnesses>,
    pub(crate) anchors: Arc<Anchors>,
    pub(crate) board: Board,
}

impl Parts {
    /// `None`: no log is kept here, as nothing says where.
    pub(crate) fn open(context: &Context) -> Result<Option<Self>, String> {
        let config = &context.config.audit;
        let (Some(store), Some(keys)) = (context.log_store.clone(), config.keys.clone()) else { return Ok(None) };
        let clock = context.clock.clone();
        Ok(Some(Self {
            context: context.clone(),
            store,
            keys: Arc::new(KeyDirectory::new(keys)),
            witnesses: witness::open(&config.witnesses, config.quorum).map_err(|error| error.to_string())?,
            anchors: Arc::new(Anchors::open(&config.anchors, &clock).map_err(|error| error.to_string())?),
            board: Board::default(),
        }))
    }

    pub(crate) fn files(&self, tenant: &TenantId, epoch: u32) -> LogFiles {
        self.store.log(tenant, epoch)
    }
}
