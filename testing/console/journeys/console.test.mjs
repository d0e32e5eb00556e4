// The journeys that matter at 3 a.m., on a real running product, each as the person who would make it.
// One product for all of them: each journey leaves it healthy.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { join } from "node:path";
import { picture } from "../browser.mjs";
import { ask, axeClean, main, RUN_LIMIT_MS, say, World } from "../journey.mjs";
import { PROJECT, until } from "../product.mjs";
import { openLargeFleet } from "../thousands.mjs";

/** For all journeys; they take two to four minutes. What is not done by then hangs. */
const LIMIT_MS = 900_000;

const world = World.forThisFile();
const at = (path, tenant) => world.at(path, tenant);
const open = (page, resource, type, reason) => ask(page, at(`/resources/${resource}`), type, reason);

describe("the console", { timeout: LIMIT_MS }, () => {
  it("asks for a login, comes back to the page that was asked for, and calls need the session's key", async () => {
    const without = await fetch(at("/requests"), { redirect: "manual" });
    assert.equal(without.status, 303);
    assert.match(without.headers.get("location"), /^\/login\?back_to=/);
    assert.equal((await fetch(`${world.product.url}/session`, { redirect: "manual" })).status, 401);
    await world.as("vera", async (page, { context }) => {
      const cookies = await context.cookies();
      const session = cookies.find((cookie) => cookie.name === "muster_session");
      assert.ok(session.httpOnly && session.sameSite === "Lax");
      assert.equal(await page.evaluate(() => document.cookie), "", "no script reads the session");
      const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
      assert.ok(!kept.includes("eyJ"), "the browser holds no token");
      const call = (headers) =>
        page.evaluate(async (headers) => {
          const body = new Uint8Array(5);
          const answer = await fetch("/rpc/muster.identity.v1.IdentityService/WhoAmI", { method: "POST", body, headers: { "content-type": "application/grpc-web+proto", ...headers } });
          return answer.status;
        }, headers);
      const { key } = await page.evaluate(async () => (await fetch("/session")).json());
      assert.equal(await call({}), 403, "without the key");
      assert.equal(await call({ "x-muster-session-key": "guessed" }), 403, "with another key");
      assert.equal(await call({ "x-muster-session-key": key }), 200, "with the key");
      const policy = (await page.reload()).headers()["content-security-policy"];
      assert.ok(policy.includes("script-src 'self'") && !policy.includes("unsafe"), policy);
    }, { loggedIn: "anew" });
  });

  it("shows the worst first with its reason, keeps filters in the address, and finds with three clicks why", async () => {
    world.product.demo("cut", "orders-db");
    try {
      await world.product.becomes("orders-db", "RED");
      await world.as("vera", async (page) => {
        const rows = page.getByRole("table").getByRole("row");
        await until("orders-db to be on top", async () => /Red\s*orders-db/.test((await rows.nth(1).textContent()) ?? "") || undefined);
        await picture(page, "fleet-red");
        await page.getByRole("button", { name: /^Red\s*1/ }).click();
        assert.equal(new URL(page.url()).searchParams.get("status"), "red");
        await page.reload();
        await page.getByText("1 of 4 resources").waitFor();
        await page.getByRole("link", { name: "orders-db" }).click();
        await main(page).getByRole("region", { name: "Why" }).getByText(/^[A-Z]+(_[A-Z]+)+$/).first().waitFor();
        await main(page).getByText(/^open/).first().waitFor();
        await picture(page, "resource-red");
        await axeClean(page, "a red resource");
      });
    } finally {
      world.product.demo("heal", "orders-db");
    }
    await world.product.becomes("orders-db", "GREEN");
  });

  it("works by keyboard alone", async () => {
    await world.as("vera", async (page) => {
      await page.getByRole("link", { name: "orders-db" }).waitFor();
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter"); // skip to the page
      for (let presses = 0; presses < 20; presses += 1) {
        await page.keyboard.press("Tab");
        if (await page.evaluate(() => document.activeElement?.closest(".c-name") !== null)) break;
      }
      const first = await page.evaluate(() => document.activeElement?.textContent);
      await page.keyboard.press("ArrowDown");
      const second = await page.evaluate(() => document.activeElement?.textContent);
      assert.ok(first && second && first !== second, `${first} then ${second}`);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: second }).waitFor();
    });
  });

  it("says when the connection is lost, and pretends nothing meanwhile", async () => {
    await world.as("vera", async (page) => {
      await page.getByRole("link", { name: "orders-db" }).waitFor();
      world.product.freeze();
      try {
        await page.getByText(/No connection to Muster since/).waitFor();
        await until("the look to be stale", async () => (await page.getByText(/stale,/).count()) > 0, 60_000);
        await picture(page, "connection-lost");
        await axeClean(page, "the fleet without a connection");
      } finally {
        world.product.thaw();
      }
      await page.getByText(/No connection to Muster since/).waitFor({ state: "detached" });
    });
    for (const resource of ["orders-db", "billing-db"]) await world.product.becomes(resource, "GREEN");
  });

  it("shows a logout to every page of the session at once, with nothing live behind it", async () => {
    await world.as("vera", async (page, { context }) => {
      await page.getByRole("link", { name: "orders-db" }).waitFor();
      const status = await context.request.post(`${world.product.url}/logout`, { maxRedirects: 0 }).then((answer) => answer.status());
      assert.equal(status, 303);
      await page.getByRole("dialog").getByText("You are logged out").waitFor();
      assert.match(await page.getByRole("link", { name: "Log in again" }).getAttribute("href"), /^\/login\?back_to=/);
    }, { loggedIn: "anew" });
    await world.as("vera", async (page) => {
      await page.getByRole("button", { name: /acme/ }).click();
      await axeClean(page, "the menu");
      await page.getByRole("menuitem", { name: "Log out" }).click();
      await page.getByRole("heading", { name: "Logged out" }).waitFor();
      await axeClean(page, "after a logout");
    }, { loggedIn: "anew" });
  });

  it("moves a system: asked, approved by two with the evidence beside the buttons, typed, live, with its statement", async () => {
    let id;
    await world.as("olga", async (page) => {
      id = await open(page, "orders-db", "Switchover", "patch night");
      assert.equal(await main(page).getByRole("button", { name: /^Approve($|:)/ }).count(), 0, "an operator has no such button");
      const start = main(page).getByRole("button", { name: /^Start/ });
      assert.equal(await start.getAttribute("aria-disabled"), "true");
      assert.match(await start.textContent(), /Missing: /);
      await picture(page, "request-pending");
    });
    await world.as("vera", async (page) => {
      await page.goto(at(`/requests/${id}`));
      await main(page).getByText("patch night").first().waitFor();
      assert.equal(await main(page).getByRole("button", { name: /Approve|Deny|Start|Withdraw/ }).count(), 0, "a viewer has no buttons");
    });
    for (const [person, role] of [["ingo", "Approver-IT"], ["bea", "Approver-Business"]]) {
      await world.as(person, async (page) => {
        await page.getByRole("link", { name: /Requests.*waiting for you/ }).click();
        await main(page).getByText("Approve or deny").first().waitFor();
        await main(page).getByRole("link", { name: "Switchover of orders-db" }).first().click();
        await main(page).getByText(/Caught up to|loss window/).first().waitFor();
        await axeClean(page, "a request to decide");
        if (person === "ingo") await picture(page, "request-decide");
        await main(page).getByRole("button", { name: "Approve", exact: true }).click();
        if (person === "ingo") await picture(page, "request-approve");
        await say(page, "Note (optional)", "seen", "Approve");
        await main(page).getByText(new RegExp(`Approved.*by.*as ${role}`)).waitFor();
      }, { size: person === "bea" ? "phone" : "desk" });
    }
    await world.as("olga", async (page) => {
      await page.goto(at(`/requests/${id}`));
      await main(page).getByRole("button", { name: "Start" }).click();
      const dialog = page.getByRole("dialog");
      const phrase = await dialog.locator("code.phrase").textContent();
      await dialog.getByLabel("Type the phrase to start").fill("orders");
      assert.ok(await dialog.getByRole("button", { name: "Start now" }).isDisabled(), "another phrase starts nothing");
      await say(page, "Type the phrase to start", phrase, "Start now");
      await main(page).getByRole("list", { name: "Steps" }).getByText("running").first().waitFor({ timeout: RUN_LIMIT_MS });
      assert.ok(await main(page).getByRole("button", { name: "Stop" }).isVisible(), "stop is in reach");
      await main(page).getByText(/^(Step \d+ of \d+( is next)?: \S|Every step is done)/).waitFor();
      await main(page).getByRole("list", { name: "Steps" }).getByText("succeeded").nth(3).waitFor({ timeout: RUN_LIMIT_MS });
      await picture(page, "request-running");
      await axeClean(page, "a run");
      await main(page).getByRole("region", { name: "Result" }).getByText(/met/).first().waitFor({ timeout: RUN_LIMIT_MS });
      await main(page).getByText("Succeeded", { exact: true }).first().waitFor();
      await picture(page, "request-succeeded");
      await axeClean(page, "a finished run");
      await page.getByRole("link", { name: "Story" }).click();
      await page.getByRole("heading", { level: 2, name: "The run" }).first().waitFor();
      await main(page).getByText("request.approved").first().waitFor();
      await axeClean(page, "a story");
      await picture(page, "story");
      await page.goBack();
      await page.getByRole("link", { name: "Report" }).click();
      await page.waitForURL(/\/report$/);
      await page.getByText("orders-db").first().waitFor();
      await picture(page, "report");
    });
    await world.product.becomes("orders-db", "GREEN");
  });

  it("is denied with a reason, and one's own request is withdrawn and not decided", async () => {
    let id;
    await world.as("otto", async (page) => {
      id = await open(page, "orders-db", "Switchover", "by mistake");
      const approve = main(page).getByRole("button", { name: /^Approve/ });
      assert.equal(await approve.getAttribute("aria-disabled"), "true");
      assert.match(await approve.textContent(), /somebody else decides/);
    });
    await world.as("ingo", async (page) => {
      await page.goto(at(`/requests/${id}`));
      await main(page).getByRole("button", { name: "Deny" }).click();
      await say(page, "Reason", "not tonight", "Deny");
      await main(page).getByText("“not tonight”").waitFor();
    });
    await world.as("olga", async (page) => {
      await open(page, "orders-db", "Switchover", "second thoughts");
      await main(page).getByRole("button", { name: "Withdraw" }).click();
      await say(page, "Reason", "not needed", "Withdraw");
      await main(page).getByText("Withdrawn", { exact: true }).first().waitFor();
    });
  });

  it("breaks the glass with an incident, says so in red, and asks somebody else for the review", async () => {
    await world.as("olga", async (page) => {
      await page.goto(at("/resources/billing-db"));
      await page.getByRole("button", { name: "Request a move or drill" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Type").selectOption({ label: "Readiness drill" });
      assert.equal(await dialog.getByLabel(/Break glass/).count(), 0, "a drill is no emergency");
      await dialog.getByLabel("Type").selectOption({ label: "Failover" });
      await dialog.getByLabel("Reason").fill("nobody answers the phone");
      await dialog.getByLabel(/Break glass/).check();
      assert.ok(await dialog.getByRole("button", { name: "Open with break-glass" }).isDisabled(), "not without an incident");
      await dialog.getByLabel("Incident").fill("INC-7");
      await axeClean(page, "the form");
      await dialog.getByRole("button", { name: "Open with break-glass" }).click();
      await main(page).getByText("Break-glass, incident INC-7.").waitFor();
      await main(page).getByRole("button", { name: "Withdraw" }).click();
      await say(page, "Reason", "they called back", "Withdraw");
    });
    await world.as("ada", async (page) => {
      await page.goto(at("/requests?show=break-glass"));
      await main(page).getByRole("link", { name: "Failover of billing-db" }).first().waitFor();
    });
  });

  it("shows a refusal of the API with rule, value, limit and what to do", async () => {
    await world.as("olga", async (page) => {
      await page.goto(at("/resources/session-cache"));
      await page.getByRole("button", { name: "Request a move or drill" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Type").selectOption({ label: "Isolated drill" });
      await dialog.getByLabel("Reason").fill("a copy of what cannot be copied");
      await dialog.getByRole("button", { name: "Open request" }).click();
      const refused = dialog.getByRole("alert");
      await refused.getByText(/What to do:/).waitFor();
      await refused.getByText(/Code/).waitFor();
    });
  });

  it("finds every event, filters by the address, tells the story, and exports what the filters leave", async () => {
    await world.as("vera", async (page) => {
      await page.goto(at("/audit?kind=request.*"));
      await main(page).getByText("request.created").or(main(page).getByText("request.opened")).first().waitFor();
      assert.equal(await main(page).getByText("readiness.status_changed").count(), 0, "the filter holds");
      await main(page).getByRole("button", { name: /^More/ }).first().click();
      await main(page).getByText("SHA-256 of the stored bytes").waitFor();
      await axeClean(page, "the record");
      const [download] = await Promise.all([page.waitForEvent("download"), main(page).getByRole("button", { name: "Export CSV" }).click()]);
      assert.equal(download.suggestedFilename(), "muster-acme-audit.csv");
    });
  });

  it("takes a plan from its text through the review to publication, by two people, with preflight and document", async () => {
    world.product.muster("ada", ["--tenant", "acme", "apply", "-f", join(PROJECT, "testing/plans/good/single-resource.yaml")]);
    await world.as("olga", async (page) => {
      await page.goto(at("/plans"));
      await page.getByRole("link", { name: "orders-to-ams" }).click();
      await main(page).getByText("Move the order book").waitFor();
      await main(page).getByRole("button", { name: "Submit for review" }).click();
      await say(page, null, null, "Submit");
      await main(page).getByText("In review").waitFor();
    });
    await world.as("ingo", async (page) => {
      await page.goto(at("/plans/orders-to-ams"));
      await main(page).getByRole("button", { name: "Publish" }).click();
      await say(page, "Note (optional)", "read", "Publish");
      await main(page).getByText("Published", { exact: true }).waitFor();
      await page.getByRole("tab", { name: "Document" }).click();
      await page.getByRole("article", { name: "orders-to-ams" }).getByText(/orders-to-ams, version 1/).waitFor();
      await axeClean(page, "a plan");
      await picture(page, "plan");
    });
    await world.as("olga", async (page) => {
      await page.goto(at("/plans/orders-to-ams"));
      await page.getByRole("tab", { name: "Preflight" }).click();
      await page.getByRole("button", { name: "Check now" }).click();
      await page.getByRole("region", { name: "Preflight" }).getByText(/checks passed/).waitFor();
    });
  });

  it("shows 5,000 resources with few rows in the page, and finds one of them", async () => {
    await world.as("vera", async (page) => {
      // How fast it has to be is for `npm run speed`, on a machine that does nothing else.
      const { painted, interactive: ready } = await openLargeFleet(page, at(""), 5_000);
      console.log(`      5,000 resources: first contentful paint ${Math.round(painted)} ms, all there ${Math.round(ready)} ms`);
      assert.ok((await page.getByRole("row").count()) < 60, "only what is in sight is in the page");
      await page.mouse.wheel(0, 200_000);
      await until("the rows further down", async () => !(await page.getByRole("link", { name: "db-00000" }).isVisible()));
      await page.getByRole("searchbox").fill("db-04999");
      await page.getByText("1 of 5000 resources").waitFor();
      await page.getByRole("link", { name: "db-04999" }).waitFor();
    });
  });

  it("says of an address that nothing is at that there is no such page, and where to go on", async () => {
    await world.as("vera", async (page) => {
      const answer = await page.goto(at("/reqests/1"));
      assert.equal(answer.status(), 404);
      await main(page).getByRole("heading", { level: 1, name: "There is no such page" }).waitFor();
      await main(page).getByText("/t/acme/reqests/1").waitFor();
      await axeClean(page, "an unknown address");
      await picture(page, "unknown-address");
      await main(page).getByRole("link", { name: "requests" }).click();
      await main(page).getByRole("heading", { level: 1, name: "Requests" }).waitFor();
      // Within the pages, too, and beside every tenant.
      assert.equal((await page.goto(`${world.product.url}/no/such/place`)).status(), 404);
      await main(page).getByRole("heading", { level: 1, name: "There is no such page" }).waitFor();
      await page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name: "Fleet" }).click();
      await main(page).getByRole("link", { name: "orders-db" }).waitFor();
      const plain = await page.request.get(at("/reqests/1"), { headers: { accept: "application/json" } });
      assert.deepEqual([plain.status(), await plain.text()], [404, ""], "a program is told in its own way");
    });
    const stranger = await world.browser.newContext();
    try {
      const page = await stranger.newPage();
      assert.equal((await page.goto(at("/reqests/1"))).status(), 404);
      await page.getByRole("heading", { level: 1, name: "There is no such page" }).waitFor();
      await page.getByRole("link", { name: "Log in" }).waitFor();
      await axeClean(page, "an unknown address, logged out");
      await picture(page, "unknown-address-logged-out");
    } finally {
      await stranger.close();
    }
  });

  it("shows nothing of a tenant that one has no role in", async () => {
    await world.as("vera", async (page) => {
      await page.goto(`${world.product.url}/t/globex`);
      await page.getByRole("heading", { name: "You have no role in this tenant" }).waitFor();
      await axeClean(page, "a tenant without a role");
    });
  });
});
