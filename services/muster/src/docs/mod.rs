//! The generated pages below docs/: written from the code, and checked for drift by `make test`.

mod events;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use muster_domain::access;

/// Each page with its text.
fn pages() -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("docs/config.md", muster_runtime::config::reference()),
        ("docs/access.md", access_table()),
        ("docs/cli.md", crate::client::render_cli_docs()),
        ("docs/events.md", events::reference()?),
    ])
}

pub(crate) fn run(action: &str) -> Result<()> {
    let root = muster_local::tools::project_root().context("run this inside the project")?;
    let mut stale = Vec::new();
    for (name, text) in pages()? {
        let path: PathBuf = root.join(name);
        if action == "write" {
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            stale.push(name);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!("these pages are not what the code says: {}; run `muster docs write` and commit them", stale.join(", "))
}

fn access_table() -> String {
    let mut page = String::from(
        "# Who may call what\n\nOne row for each method of the API; a method without a row is closed. Roles are held per tenant.\nGenerated from `services/shared/domain/src/access.rs`.\n\n| method | any of these roles | people only | changes something |\n|---|---|---|---|\n",
    );
    for rule in access::TABLE {
        let roles =
            if rule.roles.is_empty() { "everybody who is logged in".to_owned() } else { access::role_list(rule.roles) };
        let yes = |flag| if flag { "yes" } else { "" };
        page.push_str(&format!(
            "| `{}` | {roles} | {} | {} |\n",
            rule.method,
            yes(rule.people_only),
            yes(rule.changes)
        ));
    }
    page
}
