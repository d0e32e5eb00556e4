// The record: what is not as it should be, who looked at it, what an auditor takes away, and the proof of one event.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { join } from "node:path";
import { picture } from "../browser.mjs";
import { axeClean, main, say, whyNot, World } from "../journey.mjs";

/** For all journeys. What is not done by then hangs. */
const LIMIT_MS = 600_000;

const world = World.forThisFile();
const at = (path) => world.at(path);

/** Of the log or of its first witness, out of the file that a person would be handed. */
const keyOf = (kind) => new RegExp(`^${kind} (?:\\S+ )?(\\S+\\+\\S+)`, "m").exec(readFileSync(join(world.product.data, "audit/log/acme/1/policy"), "utf8"))[1];

/** As a field of the browser takes it, in the zone of the journeys' browser. */
function inDays(days) {
  const parts = new Intl.DateTimeFormat("sv-SE", { timeZone: "Europe/Berlin", dateStyle: "short", timeStyle: "short" }).format(Date.now() + days * 86_400_000);
  return parts.replace(" ", "T");
}

async function openGap(page, title, severity) {
  await page.goto(at("/gaps"));
  await main(page).getByRole("button", { name: "Open a gap" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("How bad it is").selectOption({ label: severity });
  await dialog.getByLabel("What it is about").selectOption({ label: "billing-db" });
  await say(page, "What is missing or wrong, in one line", title, "Open the gap");
}

const gapItem = (page, title) => main(page).getByRole("listitem").filter({ hasText: title }).first();

describe("the record", { timeout: LIMIT_MS }, () => {
  it("keeps a gap from the day it is found to the day it is mended, with an owner and a date", async () => {
    const title = "The standby's disk is half as large";
    await world.as("olga", async (page) => {
      await openGap(page, title, "Moderate: a recovery would be late or incomplete");
      const gap = gapItem(page, title);
      await gap.getByText("Nobody sees to it yet").waitFor();
      assert.equal(await gap.getByRole("button", { name: /Close|Accept/ }).count(), 0, "an operator does not end a gap");
      await gap.getByRole("button", { name: "Plan", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("What will be done").fill("a larger disk is ordered");
      await dialog.getByLabel(/^Owner/).fill("team-billing");
      const promise = dialog.getByRole("button", { name: "Promise it" });
      await dialog.getByLabel("Until (your time)").fill(inDays(-1));
      await dialog.getByText("The date is in the past.").waitFor();
      assert.ok(await promise.isDisabled(), "yesterday is no promise");
      await dialog.getByLabel("Until (your time)").fill(inDays(14));
      await axeClean(page, "the form of a plan");
      await say(page, null, null, "Promise it");
      await gap.getByText(/team-billing.*a larger disk is ordered/).waitFor();
      await axeClean(page, "a planned gap");
      await picture(page, "gaps");
    });
    await world.as("vera", async (page) => {
      await page.goto(at("/resources/billing-db"));
      await main(page).getByRole("region", { name: "Gaps" }).getByRole("link", { name: title }).click();
      await main(page).getByText("Only one gap.").waitFor();
      assert.equal(await main(page).getByRole("button", { name: /Plan|Close|Accept|Open a/ }).count(), 0, "a viewer has no buttons");
    });
    await world.as("ingo", async (page) => {
      await page.goto(at("/gaps"));
      await gapItem(page, title).getByRole("button", { name: "Close", exact: true }).click();
      await say(page, "What was done about it", "the disk is in", "Close the gap");
      await main(page).getByText(title).waitFor({ state: "detached" });
      await main(page).getByRole("button", { name: "Closed too" }).click();
      await gapItem(page, title).getByText(/Closed by.*Ingo.*the disk is in/).waitFor();
      assert.equal(await gapItem(page, title).getByRole("button", { name: "Open again" }).count(), 1);
    });
  });

  it("lets nobody end alone what is bad, and the business alone live with it until a date", async () => {
    const title = "The old site has no power at night";
    await world.as("ingo", async (page) => {
      await openGap(page, title, "High: a recovery would fail");
      const gap = gapItem(page, title);
      await gap.waitFor();
      assert.match(await whyNot(gap.getByRole("button", { name: /^Close/ })), /somebody else closes or accepts it/);
      assert.equal(await gap.getByRole("button", { name: /Accept/ }).count(), 0, "the business accepts a risk, nobody else");
    });
    await world.as("bea", async (page) => {
      await page.goto(at("/gaps"));
      const gap = gapItem(page, title);
      await gap.getByRole("button", { name: "Accept the risk" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Why the risk is borne").fill("the generator comes in spring");
      await dialog.getByLabel("Until (your time)").fill(inDays(400));
      await dialog.getByText(/more than 366 days away/).waitFor();
      await dialog.getByLabel("Until (your time)").fill(inDays(90));
      await say(page, null, null, "Accept the risk");
      await gap.getByText(/Accepted by.*Bea.*the generator comes in spring/).waitFor();
    }, { size: "phone" });
  });

  it("says that somebody who had no hand in a run looked at it, once", async () => {
    const run = await world.drilled("billing-db");
    await world.as("ingo", async (page) => {
      await page.goto(at(`/requests/${run}`));
      const reviews = main(page).getByRole("region", { name: "Reviews" });
      await reviews.getByText("Nobody has looked at the record of this run yet.").waitFor();
      await reviews.getByRole("button", { name: "As it should be", exact: true }).click();
      await say(page, "What was looked at and found", "every check was made", "Record the review");
      await reviews.getByText(/Accepted.*by.*Ingo.*every check was made/s).waitFor();
      assert.match(await whyNot(reviews.getByRole("button", { name: /^Not as it should be/ })), /You have reviewed it/);
      await axeClean(page, "a reviewed run");
    });
    await world.as("olga", async (page) => {
      await page.goto(at(`/requests/${run}`));
      const reviews = main(page).getByRole("region", { name: "Reviews" });
      await reviews.getByText("every check was made").waitFor();
      assert.equal(await reviews.getByRole("button").count(), 0, "an operator reviews nothing");
      await main(page).getByRole("region", { name: "Gaps" }).getByRole("button", { name: "Open a gap" }).waitFor();
    });
  });

  it("is reviewed for a period, and what is still to come is not", async () => {
    await world.as("ada", async (page) => {
      await page.goto(at("/evidence"));
      const reviews = main(page).getByRole("region", { name: "Reviews" });
      await reviews.getByRole("button", { name: "Record a review" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("What was looked at and found").fill("nothing unusual");
      const ends = await dialog.getByLabel("To (your time)").inputValue();
      await dialog.getByLabel("To (your time)").fill(inDays(1));
      await dialog.getByText("What is still to come cannot be reviewed.").waitFor();
      await dialog.getByLabel("To (your time)").fill(ends);
      await say(page, null, null, "Record the review");
      await reviews.getByText(/Looked at the record.*by.*Ada.*nothing unusual/s).waitFor();
    });
    await world.as("vera", async (page) => {
      await page.goto(at("/evidence"));
      await main(page).getByText("nothing unusual").waitFor();
      assert.equal(await main(page).getByRole("button", { name: "Record a review" }).count(), 0, "a viewer reviews nothing");
    });
  });

  it("is taken away as a package that verifies without Muster", async () => {
    const file = join(world.product.directory ?? world.product.data, "evidence.tar");
    await world.as("vera", async (page) => {
      await page.goto(at("/evidence"));
      await main(page).getByRole("region", { name: "Transparency log" }).getByText("Good").first().waitFor();
      const [download] = await Promise.all([page.waitForEvent("download"), main(page).getByRole("button", { name: "Make the package" }).click()]);
      assert.equal(download.suggestedFilename(), "muster-evidence-acme.tar");
      await download.saveAs(file);
      await main(page).getByText(/is among your downloads: \d+ files/).waitFor();
      await axeClean(page, "a package that was made");
      await picture(page, "evidence");
    });
    // By the program that any auditor has, with the key on another way.
    assert.match(world.product.muster("vera", ["audit", "verify", file, "--key", keyOf("log")]), /verif/i);
    const listed = execFileSync("tar", ["-tf", file], { encoding: "utf8" }).trim().split("\n");
    assert.deepEqual([listed[0], listed.at(-1)], ["README.md", "manifest.dsse.json"]);
    // One byte of one event, changed: nobody believes it.
    const content = readFileSync(file);
    const place = content.indexOf('"payload_b64":"') + 20;
    content[place] = content[place] === 0x41 ? 0x42 : 0x41;
    const forged = `${file}.forged.tar`;
    writeFileSync(forged, content);
    const verdict = () => world.product.muster("vera", ["audit", "verify", forged, "--key", keyOf("log")]);
    assert.throws(verdict, ({ stdout }) => /BROKEN {2}event \d+ \(.*\) was edited/.test(stdout) || assert.fail(stdout));
  });

  it("proves an event in the browser, by this log's key and by no other", async () => {
    await world.as("vera", async (page) => {
      await page.goto(at("/audit?kind=declared"));
      await main(page).getByRole("button", { name: /^More/ }).last().click();
      await main(page).getByRole("button", { name: "Check the proof" }).click();
      await main(page).getByText("This event is what was logged, and where it was logged.").waitFor();
      for (const what of ["The leaf is of this event", "It is in the log, at its place", "The log signed the checkpoint", "Witnesses saw it"]) {
        await main(page).getByText(`${what}: good`).waitFor();
      }
      await axeClean(page, "a proof");
      await picture(page, "proof");
      const [kept] = await Promise.all([page.waitForEvent("download"), main(page).getByRole("button", { name: "Keep the proof as a file" }).click()]);
      assert.match(kept.suggestedFilename(), /^seq-\d+\.tlog-proof$/);
      await main(page).getByLabel(/Verifier key/).fill(keyOf("witness"));
      await main(page).getByRole("button", { name: "Check the proof" }).click();
      await main(page).getByText("The log signed the checkpoint: not good").waitFor();
      await main(page).getByText(/This does not agree/).waitFor();
    });
  });

  it("does not believe a server that shows another text than it logged", async () => {
    await world.as("vera", async (page) => {
      // One digit of the digest that stands beside the oldest event, changed on the way to the browser.
      await page.route(/AuditService\/ListEvents$/, async (route) => {
        const answer = await route.fetch();
        const body = await answer.body();
        const { index } = [...body.toString("latin1").matchAll(/[0-9a-f]{64}/g)].at(-1);
        body[index] = body[index] === 0x30 ? 0x31 : 0x30;
        await route.fulfill({ response: answer, body });
      });
      await page.goto(at("/audit?kind=declared"));
      await main(page).getByRole("button", { name: /^More/ }).last().click();
      await main(page).getByRole("button", { name: "Check the proof" }).click();
      await main(page).getByText("The leaf is of this event: not good").waitFor();
      await main(page).getByText(/SHA-256 of the stored bytes differs/).waitFor();
    });
  });
});
