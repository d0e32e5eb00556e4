//! `muster demo …`: the systems that `muster up` protects, their application, and faults to try.

pub(crate) mod estate;
pub(crate) mod faults;
mod servers;
pub(crate) mod world;
mod writer;

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::place::Place;
use estate::Estate;

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Pause replay on the standby: received data piles up unapplied.
    Lag { resource: String },
    /// Cut the replication link: the loss window grows.
    Cut { resource: String },
    /// SIGKILL the primary; it stays down.
    KillPrimary { resource: String },
    /// Repair what the others did: link, replay, dead or diverged nodes.
    Heal { resource: String },
    /// Count the rows the application was told are safe, against those in the database.
    Rows { resource: String },
    /// Show the messages that reached the demo's mail box and webhook.
    Inbox,
    /// Run the demo's application and webhook receiver (started by `muster up`).
    #[command(hide = true)]
    World,
}

pub(crate) async fn run(command: DemoCommand, place: &Place, json: bool) -> Result<()> {
    if matches!(command, DemoCommand::World) {
        return world::run(place).await;
    }
    let mut estate = open(place)?;
    let said = match command {
        DemoCommand::Lag { resource } => faults::lag(&estate, &resource).await?,
        DemoCommand::Cut { resource } => faults::cut(&estate, &resource).await?,
        DemoCommand::KillPrimary { resource } => faults::kill_primary(&mut estate, &resource).await?,
        DemoCommand::Heal { resource } => faults::heal(&mut estate, &resource).await?,
        DemoCommand::Rows { resource } => {
            let count = faults::rows(&estate, &resource).await?;
            if json {
                serde_json::to_string(&count)?
            } else {
                format!(
                    "{}: {} rows acknowledged to the application, {} in the table of {}, {} lost",
                    count.resource, count.acknowledged, count.in_table, count.counted_on, count.lost
                )
            }
        }
        DemoCommand::Inbox => world::inbox(place, json)?,
        DemoCommand::World => return Ok(()),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{said}")?;
    Ok(())
}

fn open(place: &Place) -> Result<Estate> {
    let directory = place.estate();
    if !directory.join("estate.json").is_file() {
        anyhow::bail!(
            "there is no demo estate in {}: start it with `muster up` (or name its place with --data)",
            directory.display()
        );
    }
    Estate::open(place)
}

/// Writes a file that only we can read.
pub(crate) fn private_file(path: &Path, text: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
