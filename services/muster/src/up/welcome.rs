//! What is printed when everything is up: the address, the people, and things to try.

use std::io::Write as _;

use anyhow::Result;
use muster_runtime::Context;

use super::people::PEOPLE;
use crate::{demo::world, place::Place};

pub(crate) fn print(context: &Context, place: &Place) -> Result<()> {
    let url = &context.config.server.public_url;
    let program = std::env::current_exe()?;
    let muster = shortest(&program);
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nMuster is up: {url}\n")?;
    writeln!(out, "People you can be (no password; choose at the login page, or `{muster} login --as NAME`):")?;
    for who in PEOPLE {
        writeln!(out, "  {:<5} {}", who.name, who.title)?;
    }
    if world::mail_server().is_none() {
        writeln!(
            out,
            "\nNo mail server: e-mail is skipped because aiosmtpd is not installed (`scripts/setup` fetches it)."
        )?;
    }
    writeln!(
        out,
        "\nFive things to try, in another terminal:
  1. {muster} login --as olga && {muster} watch
  2. {muster} demo cut orders-db          the board turns red, messages go out: {muster} demo inbox
     {muster} demo heal orders-db
  3. {muster} request open --type switchover --resource orders-db --to ams --reason \"patch night\"
     approve it as ingo and as bea ({muster} --profile ingo login --as ingo; {muster} --profile ingo request approve ID), then
     {muster} request start ID            it asks for the phrase; the database really moves
     {muster} demo rows orders-db         count what the application was told is safe against what is there
  4. {muster} request open --type switchover --group shop --to ams --reason \"maintenance\"
                                          three platforms, one after the other; back with --type failback --to fra
  5. {muster} audit export --format csv   everything that just happened, with who, when and why

Data: {}   Ctrl-C stops everything; the next `make up` finds it again.",
        place.root().display()
    )?;
    Ok(())
}

/// "target/debug/muster" when that is where we are run from, the whole path otherwise.
fn shortest(program: &std::path::Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(&here).unwrap_or(program).display().to_string()
}
