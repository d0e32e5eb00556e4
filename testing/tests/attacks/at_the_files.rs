//! Somebody with access to the broker's disk.

use anyhow::{Result, ensure};
use muster_domain::pb::audit::v1::audit_log_event::Event;
use muster_testing::poll::{self, look_for};

use crate::stage::{LIMIT, Stage};

const A_DAY_NS: i64 = 24 * 3600 * 1_000_000_000;

pub(crate) async fn edited(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let events = here.append(8).await?;
    here.covered().await?;
    here.verify_is_good()?;
    here.at_the_files(|files| {
        files.forge(events[0], |event| event.payload[2] ^= 1)?;
        files.forge(events[2], |event| *second_of(event.headers, "ce-time: ").unwrap() ^= 1)?;
        files.forge(events[4], |event| event.subject[20] ^= 1)?;
        files.forge(events[6], |event| event.time[1] ^= 1)
    })
    .await?;
    let named: Vec<String> = [0, 2, 4, 6].map(|at: usize| format!("event {} (", events[at])).to_vec();
    let words: Vec<&str> = named.iter().map(String::as_str).chain(["was edited"]).collect();
    here.verify_says(&[], &words)?;
    let sequences: Vec<String> = [0, 2, 4, 6].map(|at: usize| format!("sequence {}:", events[at])).to_vec();
    here.fsck_says(&sequences.iter().map(String::as_str).collect::<Vec<_>>())?;
    // Untouched ones are not named.
    let text = here.muster(&["audit", "verify"])?.out;
    ensure!([1, 3, 5, 7].iter().all(|at| !text.contains(&format!("event {} (", events[*at]))), "{text}");

    // Nobody has to ask: the log stops and says why.
    let stopped =
        poll::until("the log to stop", LIMIT, || async { Ok(look_for(here.life().await?.stopped, Option::is_some)) })
            .await?;
    let text = stopped.map(|stopped| stopped.text()).unwrap_or_default();
    ensure!(text.contains(&events[0].to_string()), "{text}");
    Ok(())
}

/// The last digit of the seconds in a header's time. The headers have no order, and the broker's own are not part of a leaf.
fn second_of<'h>(headers: &'h mut [u8], name: &str) -> Option<&'h mut u8> {
    let value = headers.windows(name.len()).position(|at| at == name.as_bytes())? + name.len();
    headers.get_mut(value + "2026-11-22T21:23:5".len())
}

pub(crate) async fn damaged(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let events = here.append(5).await?;
    here.covered().await?;
    here.at_the_files(|files| files.edit_payload(events[2], |payload| payload[2] ^= 1)).await?;
    here.verify_says(&[], &[&format!("event {} (", events[2]), "was logged and is no longer there"])?;
    here.fsck_says(&[&format!("sequence {}:", events[2])])
}

pub(crate) async fn removed(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let events = here.append(5).await?;
    here.covered().await?;
    here.at_the_files(|files| files.remove(events[1])).await?;
    here.verify_says(&[], &[&format!("event {} (", events[1]), "was logged and is no longer there"])?;
    here.fsck_says(&[&format!("sequence {}:", events[1])])?;
    here.says_stream_changed("message deleted").await
}

pub(crate) async fn reordered(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let events = here.append(6).await?;
    here.covered().await?;
    here.at_the_files(|files| files.swap(events[1], events[4])).await?;
    let (one, other) = (format!("event {} (", events[1]), format!("event {} (", events[4]));
    here.verify_says(&[], &[&one, &other, "was edited"])
}

pub(crate) async fn truncated(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let events = here.append(10).await?;
    let logged = here.covered().await?;
    here.at_the_files(|files| files.truncate_before(events[6])).await?;
    let gap = here
        .says("the loss to be declared", |event| if let Event::GapDetected(gap) = event { Some(gap) } else { None })
        .await?;
    ensure!((gap.first_sequence, gap.last_sequence) == (events[6], logged.size - 1), "{gap:?}");
    ensure!(gap.reason.contains("not in the stream any more"), "{gap:?}");
    here.covered().await?;
    let opened = here.life().await?.epoch().cloned().unwrap_or_default();
    ensure!((opened.epoch, opened.reason.as_str()) == (2, "promoted"), "{opened:?}");
    ensure!(opened.previous.is_some_and(|previous| previous.size == logged.size), "it names what was witnessed");
    Ok(())
}

pub(crate) async fn back_dated(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    here.verify_is_good()?;
    here.stop().await?;
    let event = here.append(1).await?[0];
    here.append(1).await?;
    here.at_the_files(|files| {
        files.forge(event, |event| {
            let bytes: [u8; 8] = event.time.try_into().unwrap();
            event.time.copy_from_slice(&(i64::from_le_bytes(bytes) - A_DAY_NS).to_le_bytes());
        })
    })
    .await?;
    here.covered().await?;
    here.verify_says(&[], &[&format!("event {event} ("), "is back-dated"])
}
