//! The commands of docs/verify-without-muster.md, literally, in a shell that has nothing but the system's own programs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};

pub const ALL_GOOD: &str = "everything on this page is as it should be";

/// What an auditor has: a package, what reached him on another way, and a place to work.
pub struct Auditor {
    pub package: PathBuf,
    /// With log.vkey and witness.vkey.
    pub keys: PathBuf,
    pub scratch: PathBuf,
}

impl Auditor {
    /// Whether the page's commands all passed, and what they said.
    pub fn follow_the_page(&self, proof: Option<&Path>) -> Result<(bool, String)> {
        let script = self.scratch.join("page.sh");
        fs::write(&script, commands()?)?;
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", &self.scratch);
        shell.env("package", &self.package).env("keys", &self.keys);
        if let Some(proof) = proof {
            shell.env("proof", proof);
        }
        let Output { status, stdout, stderr } = shell.arg(script).output()?;
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        // A page that stopped early, or went on after a fault, is found out by its last line.
        ensure!(status.success() == said.contains(ALL_GOOD), "it ended with {status}:\n{said}");
        Ok((status.success(), said))
    }
}

/// Every fenced `sh` block of the page, in order.
fn commands() -> Result<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verify-without-muster.md");
    let page = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    ensure!(blocks.len() > 10, "the page has lost its commands");
    Ok(blocks.join("\n"))
}
