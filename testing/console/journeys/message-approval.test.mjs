// A decision by the link of a mail, from the mail server to the record: what a scanner fetches changes nothing, a
// forwarded link decides nothing, and the person who was asked decides after a login made for it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { axeClean, say, World } from "../journey.mjs";
import { until } from "../product.mjs";

const LIMIT_MS = 600_000;

const world = World.forThisFile();

/** Mails in the real server's Maildir, decoded as far as links need it. */
function mails() {
  const box = join(world.product.data, "mail/new");
  if (!existsSync(box)) return [];
  return readdirSync(box).map((name) => readFileSync(join(box, name), "utf8").replaceAll(/=\r?\n/g, "").replaceAll("=3D", "="));
}

/** The request that all of it is about: others may wait, too. */
let request;

/** The mail of a kind to somebody. */
function mailTo(address, kind) {
  const found = [`X-Muster-Event: ${kind}`, `X-Muster-Request: ${request}`];
  return mails().find((mail) => found.every((header) => mail.includes(header)) && new RegExp(`^To: <?${address}`, "m").test(mail));
}

const linkIn = (mail) => mail.match(new RegExp(`${world.product.url}/intent/[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+`))?.[0];
const events = (type, ...more) => world.product.json("vera", ["audit", "list", "--limit", "500", "--type", type, ...more]).records?.length ?? 0;
/** What decides, and what was refused. Deliveries go on meanwhile. */
const decisions = () => ["request.*", "intent.*", "access.*"].map((type) => events(type));

describe("an approval in a message", { timeout: LIMIT_MS }, () => {
  let link;

  it("comes by mail to each person who is missing, with a link of their own", async () => {
    request = world.open("--type", "switchover", "--resource", "orders-db", "--to", "ams", "--reason", "patch night");
    const [toIngo, toBea] = await until("both mails", () => {
      const found = ["ingo@example.com", "bea@example.com"].map((address) => mailTo(address, "approval.asked"));
      return found.every(Boolean) ? found : undefined;
    });
    link = linkIn(toIngo);
    assert.ok(link && linkIn(toBea) && link !== linkIn(toBea));
    for (const said of ["If you approve", "If you deny", "If nobody decides", "RTO expected"]) assert.ok(toIngo.includes(said), said);
    const deliveries = JSON.stringify(world.product.json("vera", ["audit", "list", "--request", request]));
    assert.ok(!deliveries.includes(link.split("/").pop().slice(0, 40)), "the record holds no token");
  });

  it("changes nothing when a scanner fetches it", async () => {
    const before = decisions();
    for (const method of ["GET", "HEAD", "GET"]) {
      const answer = await fetch(link, { method, redirect: "manual" });
      assert.equal(answer.status, 303, method);
      assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
      assert.match(answer.headers.get("cache-control"), /no-store/);
      await fetch(link, { method });
    }
    assert.deepEqual(decisions(), before);
    assert.ok(before[0] >= 1 && events("intent.*", "--request", request) === 2, `counted for real: ${before}`);
    assert.equal(world.product.json("vera", ["request", "show", request]).approvals?.length ?? 0, 0);
  });

  it("is refused to another person, and that is recorded", async () => {
    assert.equal(events("intent.refused", "--request", request), 0);
    await world.as("bea", async (page) => {
      await page.goto(link);
      await page.getByText("This link is not for you to use").waitFor();
      assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
    });
    await until("the record of it, under the request", () => events("intent.refused", "--request", request) === 1 || undefined, 20_000);
  });

  it("decides for the person who was asked, after a login made for it, once", async () => {
    const before = events("intent.used");
    await world.as("ingo", async (page) => {
      await page.goto(link);
      await page.getByRole("heading", { name: /^Your decision/ }).waitFor();
      assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0, "tier 1: not with an old login");
      await axeClean(page, "a decision by a link");
      await page.getByRole("link", { name: "Log in again to decide" }).click();
      await page.getByRole("link", { name: /ingo/i }).click();
      await page.waitForURL(link);
      await page.getByRole("button", { name: "Approve" }).click();
      await say(page, "Note (optional)", "seen", "Approve");
      await page.getByText("This link decides nothing any more").waitFor();
    });
    const { approvals } = world.product.json("vera", ["request", "show", request]);
    assert.equal(approvals.length, 1);
    assert.equal(approvals[0].note, "seen");
    await until("the record of it", () => events("intent.used") > before || undefined, 20_000);
    assert.equal(events("intent.used"), before + 1);
    await until("word to ingo that it is recorded", () => mailTo("ingo@example.com", "approval.outcome"));
  });
});
