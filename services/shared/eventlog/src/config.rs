//! Where the log's servers are, and how this process writes.

use std::sync::Arc;

use secrecy::SecretString;

use crate::keyring::Keyring;

/// How to reach the log. One per process.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `nats://host:4222`, several separated by commas.
    pub url: String,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// Copies of each stream: 1 on a single server, 3 in a cluster.
    pub replicas: usize,
    /// Empty in production. Tests isolate by it: it begins every stream's name and is the first token of every subject.
    pub prefix: String,
    /// Payloads are encrypted under the tenants' keys in it. `None`: they are stored in clear, and what is encrypted cannot
    /// be read.
    pub keyring: Option<Arc<dyn Keyring>>,
    /// This process' name, unlike any other's: its events carry its signature. `None`: they carry none.
    pub producer: Option<String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            user: None,
            password: None,
            replicas: 1,
            prefix: String::new(),
            keyring: None,
            producer: None,
        }
    }
}
