//! Who may depend on whom: services -> runtime, platform -> eventlog -> domain -> proto, and tlog below them all. Two services
//! never meet in code; only the `muster` binary names them all.

use serde_json::Value;

/// Crates that tests of any crate may use. A witness is a program of somebody else, met over HTTP.
const FOR_TESTS: [&str; 4] = ["muster-fakes", "muster-local", "muster-testing", "muster-witness"];

/// What a crate may depend on, by the place of its folder.
enum Allowed {
    Only(&'static [&'static str]),
    Everything,
}

fn allowed(folder: &str) -> Option<Allowed> {
    use Allowed::{Everything, Only};
    Some(match folder {
        "proto" | "services/shared/local" | "services/shared/tlog" => Only(&[]),
        "services/shared/domain" => Only(&["muster-proto"]),
        "services/shared/eventlog" => Only(&["muster-proto", "muster-domain", "muster-logstore", "muster-tlog"]),
        "services/shared/logstore" | "services/shared/platform" => Only(&["muster-proto", "muster-domain"]),
        "services/shared/runtime" => {
            Only(&["muster-proto", "muster-domain", "muster-eventlog", "muster-logstore", "muster-tlog"])
        }
        "services/muster" | "testing" => Everything,
        "testing/checks" | "testing/fakes" => Only(&[]),
        // It drives the rules themselves, and nothing around them.
        "testing/model" => Only(&["muster-domain"]),
        service if service.strip_prefix("services/").is_some_and(|name| !name.contains('/')) => Only(&[
            "muster-proto",
            "muster-domain",
            "muster-eventlog",
            "muster-logstore",
            "muster-platform",
            "muster-runtime",
            "muster-tlog",
        ]),
        _ => return None,
    })
}

/// Every arrow in `cargo metadata --no-deps` that points where it must not.
pub fn violations(metadata: &Value) -> Vec<String> {
    let root = text(&metadata["workspace_root"]);
    let mut found = Vec::new();
    for package in items(&metadata["packages"]) {
        let name = text(&package["name"]);
        let manifest = text(&package["manifest_path"]);
        let folder = manifest.trim_start_matches(root).trim_start_matches('/').trim_end_matches("/Cargo.toml");
        let Some(allowed) = allowed(folder) else {
            found.push(format!(
                "{name}: no rule for a crate in {folder}. Next: give it one in testing/checks/src/arrows.rs"
            ));
            continue;
        };
        for dependency in items(&package["dependencies"]) {
            let (to, kind) = (text(&dependency["name"]), text(&dependency["kind"]));
            if is_ours(to) && !may(&allowed, to, kind) {
                let kind = if kind.is_empty() { "normal" } else { kind };
                found.push(format!(
                    "{name} -> {to} ({kind}): not allowed. Next: meet in the events or the protobuf contracts"
                ));
            }
        }
    }
    found
}

fn may(allowed: &Allowed, to: &str, kind: &str) -> bool {
    match allowed {
        Allowed::Everything => true,
        Allowed::Only(names) => names.contains(&to) || (kind == "dev" && FOR_TESTS.contains(&to)),
    }
}

fn is_ours(name: &str) -> bool {
    name == "muster" || name.starts_with("muster-")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
