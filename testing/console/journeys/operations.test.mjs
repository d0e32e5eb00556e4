// The journeys of running Muster day by day: alerts, messages, drills, people who are away, settings.
// One product for all of them: each journey leaves it healthy.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { picture } from "../browser.mjs";
import { axeClean, main, RUN_LIMIT_MS, say, start, whyNot, World } from "../journey.mjs";
import { until } from "../product.mjs";

/** For all journeys. What is not done by then hangs. */
const LIMIT_MS = 900_000;

const world = World.forThisFile();
const at = (path, tenant) => world.at(path, tenant);

async function edit(page, text) {
  await page.getByLabel("Manifest").fill(text);
  await page.getByRole("button", { name: "Check", exact: true }).click();
}

const SCHEDULE = `kind: Schedule
metadata:
  name: monthly-proof
spec:
  description: A copy is started, asked and removed
  what: isolated-drill
  resource: orders-db
  cron: 0 2 * * *
  timeZone: Europe/Berlin
  reason: monthly proof
`;

const STRICTER = `kind: Policy
metadata: {name: stricter}
spec:
  description: Moves of tier 3 need the business, too
  approvals:
    - tiers: [3]
      requestTypes: [switchover]
      require:
        - {role: Approver-Business, count: 2}
      requireTicket: true
`;

const MANUAL_PLAN = `kind: Plan
metadata: {name: cache-by-hand}
spec:
  displayName: The cache, after a look
  owner: team-shop
  resource: session-cache
  fromSite: fra
  toSite: ams
  rto: 30m
  contacts:
    - {name: Vera Lang, role: incident lead, reach: "+49 69 1234567"}
  phases:
    - name: look
      steps:
        - id: power
          title: Look at the power
          manual: {role: Operator, instructions: See that power and cooling of Amsterdam have held for a day.}
          noUndoBecause: Looking changes nothing
          timeout: 15m
    - name: move
      steps:
        - {id: move-cache, title: Move the cache, move: session-cache}
`;

describe("running it", { timeout: LIMIT_MS }, () => {
  it("shows who was told of an alert, and lets a person look after it", async () => {
    world.product.demo("cut", "orders-db");
    try {
      await world.product.becomes("orders-db", "RED");
      await world.as("olga", async (page) => {
        await page.goto(at("/alerts"));
        const breach = main(page).getByRole("listitem").filter({ hasText: "RPO breach" }).first();
        await breach.waitFor({ timeout: 90_000 });
        assert.match(await whyNot(breach.getByRole("button", { name: /^Silence/ })), /tier 1 breach in production is not silenced/);
        await breach.getByText("Nobody has acknowledged it").waitFor();
        await breach.getByRole("button", { name: "Acknowledge", exact: true }).click();
        await say(page, "Note (optional)", "the link is being mended", "Acknowledge");
        await breach.getByText(/Acknowledged.*by.*Olga.*“the link is being mended”/s).waitFor();
        assert.match(await whyNot(breach.getByRole("button", { name: /^Acknowledge/ })), /looks after it already/);
        await breach.getByText("Who was told").click();
        await breach.getByRole("row").filter({ hasText: "oncall@acme.example" }).first().getByText("Delivered").waitFor();
        await axeClean(page, "an acknowledged alert");
        await picture(page, "alert-acknowledged");
      });
      await world.as("vera", async (page) => {
        await page.goto(at("/alerts"));
        await main(page).getByText(/Acknowledged/).first().waitFor();
        assert.equal(await main(page).getByRole("button", { name: /Acknowledge|Silence/ }).count(), 0, "a viewer has no such buttons");
      });
    } finally {
      world.product.demo("heal", "orders-db");
    }
    await world.product.becomes("orders-db", "GREEN");
  });

  it("tests a route and shows what became of it", async () => {
    await world.as("olga", async (page) => {
      await page.goto(at("/messages"));
      await main(page).getByRole("button", { name: "Test a route" }).click();
      await page.getByRole("dialog").getByLabel("Route").selectOption("demo-mail");
      await say(page, null, null, "Send the test");
      assert.equal(new URL(page.url()).searchParams.get("route"), "demo-mail");
      await main(page).getByRole("row").filter({ hasText: "(test" }).first().getByText("Delivered").waitFor();
      await main(page).getByRole("button", { name: "Not delivered" }).click();
      await main(page).getByText("Everything was delivered").waitFor();
    });
  });

  it("schedules a drill in the editor, which names each fault by its line, and shows when it is due", async () => {
    await world.as("ada", async (page) => {
      await page.goto(at("/schedules"));
      await main(page).getByRole("link", { name: "New schedule" }).click();
      await edit(page, SCHEDULE.replace("resource: orders-db", "resorce: orders-db"));
      const faults = main(page).getByRole("alert");
      await faults.getByText(/did you mean resource/).waitFor();
      assert.ok(await main(page).getByRole("button", { name: "Apply" }).isDisabled(), "nothing is applied that was not checked");
      await faults.getByRole("button", { name: "Line 7" }).click();
      assert.equal(await page.evaluate(() => document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)), "  resorce: orders-db");
      await axeClean(page, "the editor with faults");
      await picture(page, "editor-faults");
      await edit(page, SCHEDULE);
      await main(page).getByRole("region", { name: "What it would change" }).getByText("monthly-proof").waitFor();
      await main(page).getByRole("button", { name: "Apply" }).click();
      await page.waitForURL(/settings\/schedule\/monthly-proof$/);
      await main(page).getByText("Who changed what").waitFor();
    });
    await world.as("vera", async (page) => {
      await page.goto(at("/schedules"));
      await main(page).getByRole("button", { name: "Month after" }).click();
      assert.match(new URL(page.url()).searchParams.get("month"), /^\d{4}-\d{2}$/);
      const due = main(page).locator("table.month").getByRole("link", { name: "monthly-proof" });
      await until("it on every day of the month", async () => (await due.count()) >= 28);
      await axeClean(page, "the calendar");
      await picture(page, "schedules");
      await due.first().click();
      await main(page).getByRole("heading", { level: 1, name: "monthly-proof" }).waitFor();
      const dates = main(page).locator("section").filter({ hasText: "Next due times" }).getByRole("listitem");
      await until("ten dates", async () => (await dates.count()) === 10);
      assert.match(await dates.first().textContent(), /02:00:00\+0[12]:00\[Europe\/Berlin\]/);
      await axeClean(page, "a schedule");
      await picture(page, "schedule");
    });
    await world.as("ada", async (page) => {
      await page.goto(at("/settings/schedule/monthly-proof"));
      await main(page).getByRole("button", { name: "Retire" }).click();
      await say(page, "Reason", "it was a try", "Retire it");
      await main(page).getByText("It is retired.").waitFor();
    });
  });

  it("lets an approver who is away be stood in for, and end it", async () => {
    await world.as("ingo", async (page) => {
      await page.goto(at("/requests"));
      await main(page).getByRole("link", { name: "Delegations" }).click();
      await main(page).getByRole("button", { name: "Delegate" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel(/^Who decides for you/).fill("http://issuer.example|otto");
      await dialog.getByLabel("Reason").fill("on leave");
      assert.ok(await dialog.getByRole("button", { name: "Delegate" }).isDisabled(), "not without an end");
      const end = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 16);
      await dialog.getByLabel("Until (your time)").fill(end);
      await axeClean(page, "the form of a delegation");
      await say(page, null, null, "Delegate");
      const row = main(page).getByRole("row").filter({ hasText: "on leave" });
      await row.getByText("now").waitFor();
      await axeClean(page, "delegations");
      await picture(page, "delegations");
      await row.getByRole("button", { name: "End" }).click();
      await say(page, null, null, "End it now");
      await row.waitFor({ state: "detached" });
    });
    await world.as("olga", async (page) => {
      await page.goto(at("/delegations"));
      await main(page).getByText("Nobody is deputised now").waitFor();
      assert.equal(await main(page).getByRole("button", { name: "Delegate" }).count(), 0, "an operator has nothing to delegate");
    });
  });

  it("has in the inbox of a deputy what waits for the one who is away, and nothing of it afterwards", async () => {
    const { product } = world;
    const { actorId } = product.json("ingo", ["whoami"]);
    const { delegation } = product.json("bea", ["delegate", "add", "--to", actorId, "--role", "Approver-Business", "--until", "2h", "--reason", "at the dentist"]);
    const id = world.open("--type", "live-drill", "--resource", "orders-db", "--reason", "while Bea is away");
    product.muster("otto", ["request", "approve", id]);
    await world.as("ingo", async (page) => {
      await page.goto(at("/requests"));
      const line = main(page).getByRole("region", { name: "Waiting for you" }).getByRole("listitem").filter({ hasText: "while Bea is away" });
      await line.getByText("Approve or deny for Bea, who is away").waitFor();
      product.muster("bea", ["delegate", "end", delegation.delegationId]);
      await page.reload();
      await main(page).getByRole("heading", { name: "All requests" }).waitFor();
      await line.waitFor({ state: "detached" });
    });
    product.muster("olga", ["request", "withdraw", id, "--reason", "Bea is back"]);
  });

  it("overrides a check by name with a reason, by another Approver-IT than the requester, and never what must hold", async () => {
    const id = world.open("--type", "switchover", "--resource", "session-cache", "--to", "ams", "--reason", "a look at exceptions");
    await world.as("ingo", async (page) => {
      await page.goto(at(`/requests/${id}`));
      await main(page).getByText("Checks before the start").click();
      await main(page).getByRole("button", { name: "Override a check" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("What the responsibility rests on").fill("the standby was seen by eye");
      await dialog.getByLabel(/^Check/).fill("fence");
      assert.ok(await dialog.getByRole("button", { name: "I take the responsibility" }).isDisabled(), "a fence is never overridden");
      await dialog.getByLabel(/^Check/).fill("keys_have_not_collapsed");
      await axeClean(page, "the form of an override");
      await say(page, null, null, "I take the responsibility");
      await main(page).getByText(/Check overridden.*keys_have_not_collapsed.*Ingo/s).first().waitFor();
    });
    await world.as("olga", async (page) => {
      await page.goto(at(`/requests/${id}`));
      await main(page).getByText("Checks before the start").click();
      assert.equal(await main(page).getByRole("button", { name: /Override/ }).count(), 0, "an operator has no such button");
      await main(page).getByRole("button", { name: "Check now" }).click();
      await main(page).getByText(/checks passed/).waitFor();
      await main(page).getByRole("button", { name: "Withdraw" }).click();
      await say(page, "Reason", "seen", "Withdraw");
    });
  });

  it("waits for a person at a manual step, pauses, goes on, takes notes, and stops with nothing moved", async () => {
    await world.as("ada", async (page) => {
      await page.goto(at("/settings/new?kind=Plan"));
      await edit(page, MANUAL_PLAN);
      await main(page).getByRole("article", { name: "power" }).getByText("Look at the power").waitFor();
      await picture(page, "plan-editor");
      await axeClean(page, "the plan editor");
      await main(page).getByRole("button", { name: "Apply" }).click();
      await page.waitForURL(/settings\/plan\/cache-by-hand$/);
    });
    for (const [person, deed, note] of [["olga", "Submit for review", null], ["ingo", "Publish", "Note (optional)"]]) {
      await world.as(person, async (page) => {
        await page.goto(at("/plans/cache-by-hand"));
        await main(page).getByRole("button", { name: deed, exact: true }).click();
        await say(page, note, "read", deed === "Publish" ? "Publish" : "Submit");
      });
    }
    const id = world.open("--type", "switchover", "--resource", "session-cache", "--to", "ams", "--plan", "cache-by-hand", "--reason", "by hand");
    world.product.muster("ingo", ["request", "approve", id]);
    await world.as("olga", async (page) => {
      await page.goto(at(`/requests/${id}`));
      await start(page);
      await main(page).getByText("The run waits for a person").waitFor({ timeout: RUN_LIMIT_MS });
      await axeClean(page, "a run that waits");
      await picture(page, "request-manual");
      await main(page).getByRole("button", { name: "Pause" }).click();
      await say(page, "Reason", "somebody is on the phone", "Pause");
      await main(page).getByText(/Paused by Olga/).waitFor();
      await main(page).getByRole("button", { name: "Resume" }).click();
      await say(page, null, null, "Resume");
      await main(page).getByText(/Paused by/).waitFor({ state: "detached" });
      await main(page).getByRole("button", { name: "Add a note" }).click();
      await say(page, "Note", "power is good, cooling is not", "Record the note");
      await main(page).getByText("power is good, cooling is not").waitFor();
      await main(page).getByRole("button", { name: "It cannot be done" }).click();
      await say(page, "Why", "cooling has failed", "It cannot be done");
      await main(page).getByRole("region", { name: "Result" }).getByText(/What is known:/).waitFor({ timeout: RUN_LIMIT_MS });
      await main(page).getByText("cooling has failed").first().waitFor();
    });
    assert.equal(world.product.status("session-cache"), "STATUS_GREEN", "nothing was moved");
  });

  it("breaks the glass, starts without approvals, takes the run back by a request, and asks somebody else for the review", async () => {
    let id;
    await world.as("olga", async (page) => {
      await page.goto(at("/resources/session-cache"));
      await page.getByRole("button", { name: "Request a move or drill" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Type").selectOption({ label: "Switchover" });
      await dialog.getByLabel("Reason").fill("the site loses power in ten minutes");
      await dialog.getByLabel(/Break glass/).check();
      await dialog.getByLabel("Incident").fill("INC-8");
      await dialog.getByRole("button", { name: "Open with break-glass" }).click();
      await page.waitForURL(/\/requests\/[0-9a-f-]{36}$/);
      id = page.url().split("/").pop();
      await start(page);
      // The published plan of the journey before begins with a look: this time somebody has looked.
      await main(page).getByText("The run waits for a person").waitFor({ timeout: RUN_LIMIT_MS });
      await main(page).getByRole("button", { name: "It is done" }).click();
      await say(page, "What was done", "power and cooling are good", "It is done");
      await main(page).getByRole("region", { name: "Result" }).getByText(/What to do:|target/).first().waitFor({ timeout: RUN_LIMIT_MS });
      await main(page).getByText(/by break-glass, without/).waitFor();
      await main(page).getByRole("button", { name: "Request to take it back" }).waitFor();
      await picture(page, "break-glass");
    });
    await world.as("ada", async (page) => {
      await page.getByRole("link", { name: /Requests.*waiting for you/ }).click();
      await main(page).getByText(/Break-glass review/).first().waitFor();
      await page.goto(at(`/requests/${id}`));
      await main(page).getByRole("button", { name: "Justified", exact: true }).click();
      await say(page, "Findings", "the power did go", "Record the review");
      await main(page).getByText("the power did go").waitFor();
    });
    await world.product.becomes("session-cache", "GREEN");
  });

  it("says who must approve, and changes a gate by two people", async () => {
    await world.as("vera", async (page) => {
      await page.goto(at("/settings/who-must-approve?what=resource/orders-db"));
      await main(page).getByRole("row", { name: /^Failover/ }).getByText(/one Approver-IT and one Approver-Business/).waitFor();
      await axeClean(page, "who must approve");
      await picture(page, "who-must-approve");
      assert.equal(await main(page).getByRole("link", { name: "Policies" }).count(), 0, "a viewer changes no policy");
    });
    // Tried before it holds: what it would change is told beside what holds now, and nothing is kept.
    await world.as("ada", async (page) => {
      await page.goto(at("/settings/new?kind=Policy"));
      await edit(page, STRICTER);
      const tried = main(page).getByRole("region", { name: /with this draft/ });
      await tried.getByLabel("What would be moved or tested").selectOption("resource/session-cache");
      const move = tried.getByRole("row", { name: /^Switchover/ });
      await move.getByText(/one Approver-IT and two Approver-Business/).waitFor();
      await move.getByText(/Now: one Approver-IT, not the requester\. Now a ticket is optional\./).waitFor();
      assert.equal(await tried.getByRole("row", { name: /^Tabletop/ }).getByText("Changes").count(), 0, "of what the draft does not name");
      await tried.getByText(/It changes 1 of \d+ kinds of requests for session-cache/).waitFor();
      await axeClean(page, "a policy that is tried");
      await picture(page, "policy-tried");
      await page.goto(at("/settings/who-must-approve?what=resource/session-cache"));
      await main(page).getByRole("row", { name: /^Switchover/ }).getByText("one Approver-IT, not the requester").waitFor();
    });
    await world.as("ada", async (page) => {
      await page.goto(at("/settings/gates"));
      const row = main(page).getByRole("row").filter({ hasText: "Readiness drill" });
      await row.getByRole("button", { name: "Propose" }).click();
      await page.getByRole("dialog").getByLabel("New gate").selectOption({ label: "L3: people act, Muster advises" });
      await say(page, "Reason", "nobody is trained yet", "Propose");
      await row.getByText("L2 to L3").waitFor();
      assert.equal(await row.getByRole("button", { name: /Approve/ }).count(), 0, "an admin does not decide it");
    });
    await world.as("ingo", async (page) => {
      await page.goto(at("/settings/gates"));
      const row = main(page).getByRole("row").filter({ hasText: "Readiness drill" });
      await row.getByRole("button", { name: "Deny" }).click();
      await say(page, "Reason", "they are", "Deny");
      await row.getByText("nothing").waitFor();
    });
  });

  it("leads from an empty tenant to the first system, and shows all tenants of a person, worst first", async () => {
    await world.as("gina", async (page) => {
      await page.goto(at("", "globex"));
      await main(page).getByText("Nothing is protected yet").waitFor();
      await main(page).getByRole("link", { name: "Declare the first system" }).click();
      assert.match(await page.getByLabel("Manifest").inputValue(), /^kind: Resource\n/);
      await page.getByRole("button", { name: "Check", exact: true }).click();
      await main(page).getByRole("alert").or(main(page).getByRole("region", { name: "What it would change" })).first().waitFor();
    });
    await world.as("ada", async (page) => {
      await page.goto(`${world.product.url}/everywhere`);
      await main(page).getByRole("row").filter({ hasText: "orders-db" }).waitFor();
      await axeClean(page, "all tenants");
      await picture(page, "everywhere");
    });
  });
});
