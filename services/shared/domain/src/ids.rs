//! Typed ids. They become subject tokens, row keys and file names, so their alphabet is narrow.

use std::{fmt, str::FromStr};

/// The longest name that fits everywhere it is used: a DNS label.
pub const MAX_NAME: usize = 63;

/// A name with its kind in front, `notification-route-…`, and room to spare.
pub const MAX_AGGREGATE_ID: usize = 96;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} '{value}' is not valid: {rule}")]
pub struct InvalidId {
    pub what: &'static str,
    pub value: String,
    pub rule: &'static str,
}

const NAME_RULE: &str = "use 1 to 63 characters: a-z, 0-9 and '-', beginning with a letter and not ending with '-'";

/// Checks a DNS-label-like name.
pub fn check_name(what: &'static str, value: &str) -> Result<(), InvalidId> {
    let first_is_letter = value.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let alphabet = value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if first_is_letter && alphabet && !value.ends_with('-') && value.len() <= MAX_NAME {
        return Ok(());
    }
    let shown: String = value.chars().take(MAX_NAME + 1).collect();
    Err(InvalidId { what, value: shown, rule: NAME_RULE })
}

/// The customer whose data this is. Everything belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct TenantId(String);

impl TenantId {
    /// The operating organisation itself: its admins register the other tenants.
    pub const OPERATING: &'static str = "muster";

    pub fn operating() -> Self {
        Self(Self::OPERATING.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_operating(&self) -> bool {
        self.0 == Self::OPERATING
    }
}

impl FromStr for TenantId {
    type Err = InvalidId;
    fn from_str(value: &str) -> Result<Self, InvalidId> {
        check_name("tenant", value)?;
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The instance of an aggregate within its kind: a name or a UUID. One subject token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AggregateId(String);

impl AggregateId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AggregateId {
    type Err = InvalidId;
    fn from_str(value: &str) -> Result<Self, InvalidId> {
        let alphabet = value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if value.is_empty() || value.len() > MAX_AGGREGATE_ID || !alphabet {
            return Err(InvalidId {
                what: "id",
                value: value.chars().take(MAX_AGGREGATE_ID + 1).collect(),
                rule: "use 1 to 96 characters: a-z, 0-9 and '-'",
            });
        }
        Ok(Self(value.to_owned()))
    }
}

impl From<uuid::Uuid> for AggregateId {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.hyphenated().to_string())
    }
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An id that follows from its parts: the same parts always give the same id, so doing a thing
/// twice is visible as "already there".
pub fn derived_id(parts: &[&str]) -> uuid::Uuid {
    // Fixed for ever: changing it would let old effects happen again.
    const NAMESPACE: uuid::Uuid = uuid::Uuid::from_u128(0x6d75_7374_6572_4000_8000_6964_7300_0001);
    uuid::Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes())
}
