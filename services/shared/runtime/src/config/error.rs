//! What is wrong with a configuration, so that the reader can mend it.

use std::fmt;

/// One key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// "auth.issuers.0.issuer"
    pub key: String,
    /// What was found. Never a secret.
    pub value: String,
    /// Where it came from: a file, an environment variable, or the defaults.
    pub source: String,
    pub allowed: String,
    pub next_action: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: found {} (from {}); allowed: {}. Next: {}",
            self.key, self.value, self.source, self.allowed, self.next_action
        )
    }
}

/// Everything that is wrong, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        for error in &self.0 {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}
