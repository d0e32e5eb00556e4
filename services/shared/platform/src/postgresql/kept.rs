//! Sessions that a run keeps to its nodes, for looking: a login is arithmetic on both sides and a new process on the
//! server, and a run looks again and again. What changes something opens a session of its own, because locks and limits
//! belong to a session and end with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::session::Session;
use crate::Login;

/// Shared by all clones of a job, and gone with the last. One session for each account and node.
#[derive(Clone, Default)]
pub struct KeptSessions(Arc<Mutex<BTreeMap<String, Session>>>);

impl KeptSessions {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that still answers: a server that was stopped or restarted in the meantime has ended it. And one of this very
    /// login: a password that is refused must not be hidden by a session from before.
    pub(super) async fn take(&self, name: &str, login: &Login, limit: Duration) -> Option<Session> {
        let mut session = self.all().remove(name).filter(|session| session.is_of(login))?;
        session.answers(limit).await.then_some(session)
    }

    pub(super) fn keep(&self, name: String, session: Session) {
        self.all().insert(name, session);
    }
}
