//! What a verified token says: is it for us, is it valid now, which groups does it carry.

use std::time::Duration;

use jiff::Timestamp;
use muster_domain::request::Login;
use serde_json::Value;

use super::{AuthError, token::Claims};
use crate::config;

/// Providers send at most a few hundred; more is somebody trying things.
const MAX_GROUPS: usize = 2_000;

/// Issuer, audience and times. The signature is already checked.
pub(super) fn check(claims: &Claims, issuer: &config::Issuer, now: Timestamp, skew: Duration) -> Result<(), AuthError> {
    if text(claims, "iss") != Some(issuer.issuer.as_str()) {
        return Err(AuthError::IssuerUnknown { issuer: text(claims, "iss").unwrap_or_default().to_owned() });
    }
    check_audience(claims.get("aud"), &issuer.audience)?;
    let skew = i64::try_from(skew.as_secs()).unwrap_or(0);
    let expires = seconds(claims.get("exp")).ok_or(AuthError::ClaimMissing("exp"))?;
    if expires.saturating_add(skew) <= now.as_second() {
        return Err(AuthError::Expired { at: shown(expires) });
    }
    if let Some(claim) = claims.get("nbf") {
        let from = seconds(Some(claim)).ok_or(AuthError::Malformed("its nbf is not a number"))?;
        if from.saturating_sub(skew) > now.as_second() {
            return Err(AuthError::NotYetValid { at: shown(from) });
        }
    }
    Ok(())
}

fn check_audience(claim: Option<&Value>, wanted: &str) -> Result<(), AuthError> {
    let found: Vec<&str> = match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Err(AuthError::ClaimMissing("aud")),
    };
    if found.contains(&wanted) {
        return Ok(());
    }
    Err(AuthError::Audience { found: found.join(", ").chars().take(200).collect() })
}

/// The groups. A missing claim is not an empty one: it means that the provider is not set up, and fails closed.
pub(super) fn groups<'a>(claims: &'a Claims, claim: &str) -> Result<Vec<&'a str>, AuthError> {
    if is_overage(claims, claim) {
        return Err(AuthError::GroupsOverage);
    }
    let malformed = || AuthError::GroupsMalformed { claim: claim.to_owned() };
    match find(claims, claim) {
        None | Some(Value::Null) => Err(AuthError::GroupsMissing { claim: claim.to_owned() }),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(many)) if many.len() <= MAX_GROUPS => {
            many.iter().map(|group| group.as_str().ok_or_else(malformed)).collect()
        }
        Some(_) => Err(malformed()),
    }
}

/// Microsoft Entra ID replaces more than 200 groups by a pointer; the address in it belongs to a retired service.
fn is_overage(claims: &Claims, claim: &str) -> bool {
    let pointer = claims.get("_claim_names").and_then(|names| names.get(claim)).is_some();
    let flag = match claims.get("hasgroups") {
        Some(Value::Bool(set)) => *set,
        Some(Value::String(set)) => set.eq_ignore_ascii_case("true"),
        _ => false,
    };
    pointer || (flag && claim == "groups")
}

/// The end of the token by its own word, without skew.
pub(super) fn expires_at(claims: &Claims) -> Result<Timestamp, AuthError> {
    let second = seconds(claims.get("exp")).ok_or(AuthError::ClaimMissing("exp"))?;
    // Beyond what a time can hold is never.
    Ok(Timestamp::from_second(second).unwrap_or(Timestamp::MAX))
}

/// When and how the person logged in. What the provider does not say did not happen.
pub(super) fn login(claims: &Claims, issuer: &config::Issuer) -> Login {
    let is_among = |known: &[String], said: &str| known.iter().any(|value| value == said);
    let class = text(claims, "acr").is_some_and(|acr| is_among(&issuer.step_up_acr, acr));
    let methods = match claims.get("amr") {
        Some(Value::Array(methods)) => methods.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let method = methods.into_iter().any(|method| is_among(&issuer.step_up_amr, method));
    let at = seconds(claims.get("auth_time")).and_then(|second| Timestamp::from_second(second).ok());
    Login { at, second_factor: class || method }
}

/// By its whole name first, since some are URLs with dots; else as a path.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// A claim that is text and not empty.
pub(super) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    find(claims, name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// NumericDate may have a fraction; it is cut.
fn seconds(claim: Option<&Value>) -> Option<i64> {
    let claim = claim?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be within what an i64 holds; the fraction is meant to go"
    )]
    let from_fraction = || claim.as_f64().filter(|f| f.is_finite() && f.abs() < 1e15).map(|f| f as i64);
    claim.as_i64().or_else(from_fraction)
}

fn shown(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}
