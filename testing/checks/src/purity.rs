//! The domain has no IO, no clock, no randomness, no async runtime.
//!
//! Rust cannot name a crate that is not a direct dependency, so the list of direct dependencies is closed,
//! and what the remaining ones and std offer beyond pure computing is looked for by name. The generated
//! code in muster-proto brings tonic for clients and servers; the domain may use its messages only.

use serde_json::Value;

/// Computes, and does nothing else. Add a library only when that holds for the whole of it, or ban the rest below.
const PURE: [&str; 13] = [
    "croner",
    "jiff",
    // Templates: rendering only, without its loader.
    "minijinja",
    "muster-proto",
    "pbjson-types",
    "prost",
    "prost-types",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "url",
    "uuid",
];

/// Names that reach out of pure computing; module names with `::`, so that `use std::{fs, ..}` is seen at its use.
const BANNED_NAMES: [&str; 25] = [
    "env::",
    "fs::",
    // What std::io has that is not memory.
    "stdin",
    "stdout",
    "stderr",
    "pipe(",
    "process::",
    "thread::",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "new_v4",
    "now_v7",
    "async fn",
    ".await",
    "_client::",
    "_server::",
    "println!",
    "eprintln!",
];

/// Direct dependencies of the domain, from `cargo metadata --no-deps`, that are not known to be pure.
pub fn impure_dependencies(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let domain = packages.filter(|package| package["name"] == "muster-domain");
    domain
        .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|name| !PURE.contains(name))
        .map(|name| {
            format!("muster-domain -> {name}: not known to be pure. Next: pass what it gives in as an argument")
        })
        .collect()
}

/// Lines of one source file that name what the domain must not do. Comments and test modules do not count.
pub fn impure_names(file: &str, source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate();
    lines
        .flat_map(|(index, line)| {
            let line = line.split("//").next().unwrap_or_default();
            let named = BANNED_NAMES.iter().filter(move |name| names(line, name));
            named.map(move |name| format!("{file}:{}: `{name}`. Next: take the value as an argument", index + 1))
        })
        .collect()
}

/// Whether the line has this name as a whole: `fs::` is not in `prefs::`.
fn names(line: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let part_of_a_word = |at: usize| name.starts_with(char::is_alphabetic) && line[..at].ends_with(word);
    line.match_indices(name).any(|(at, _)| !part_of_a_word(at))
}
