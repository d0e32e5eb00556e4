//! Where the log's servers are.

use secrecy::SecretString;

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
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { url: "nats://127.0.0.1:4222".to_owned(), user: None, password: None, replicas: 1, prefix: String::new() }
    }
}
