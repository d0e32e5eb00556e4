// Every page, in every state that it can be in: as it should be, at both sizes and in both themes; while it loads; where
// there is nothing; where one has no right; and where Muster does not answer. All of axe's rules see each page at each size, as a
// phone has another layout; in the second theme those about colours do, as it has no more than other colours.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { picture, SIZES, themesSet, THEMES } from "../browser.mjs";
import { axeClean, main, World } from "../journey.mjs";
import { everyPage, routesOfTheConsole } from "../pages.mjs";

/** For all of them: about a hundred loads of a page. What is not done by then hangs. */
const LIMIT_MS = 900_000;
/** So many pages are open at once where each of them mostly waits, and where each keeps a processor busy. */
const WAITING = 5;
const BUSY = 2;
/** gRPC's PERMISSION_DENIED, as gRPC-Web says it. */
const REFUSED = { status: 200, headers: { "content-type": "application/grpc-web+proto", "grpc-status": "7", "grpc-message": "this role may not" } };

const world = World.forThisFile();

const SHOP_PLAN = `kind: Plan
metadata: {name: shop-to-ams}
spec:
  displayName: The shop, to Amsterdam
  description: When Frankfurt rests or is lost
  owner: team-shop
  group: shop
  fromSite: fra
  toSite: ams
  rto: 30m
  contacts:
    - {name: Vera Lang, role: incident lead, reach: "+49 69 1234567"}
  phases:
    - name: look
      title: Look first
      steps:
        - id: power
          title: Look at the power
          manual: {role: Operator, instructions: See that power and cooling of Amsterdam have held for a day.}
          noUndoBecause: Looking changes nothing
          timeout: 15m
    - name: move
      title: Move the data
      steps:
        - {id: move-orders, title: Move the order book, move: orders-db}
        - {id: move-catalog, title: Move the catalogue, after: [move-orders], move: catalog-db}
        - {id: move-cache, title: Move the cache, after: [move-catalog], move: session-cache}
    - name: open
      title: Open again
      steps:
        - {id: tell, title: Tell the shop, notify: The shop runs in Amsterdam.}
`;

let pages;
const url = (address) => `${world.product.url}${address}`;
/** What asks the server for something. */
const asking = ({ calm }) => !calm;

async function nothingLoads(page, name) {
  await page.locator(".skeleton").first().waitFor({ state: "detached" }).catch(() => assert.fail(`${name} loads for ever`));
}

/** What the page asks is answered so from now on, other than who is asking: that is always told. */
async function answered(page, answer) {
  // What the page before still waited for is of no interest.
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.route(/\/rpc\/(?!muster\.identity)/, answer);
}

/** Goes to every page that is chosen, some at once, each with a load of its own. */
async function eachPage(chosen, atOnce, look, { person = "ada", ...how } = {}) {
  const left = Object.entries(pages).filter(([, page]) => chosen(page));
  await world.as(person, async (_, { context }) => {
    while (context.pages().length < atOnce) await context.newPage();
    const goOn = async (page) => {
      for (let next = left.shift(); next; next = left.shift()) await look(page, ...next);
    };
    await Promise.all(context.pages().map(goOn));
  }, how);
}

describe("every page", { timeout: LIMIT_MS }, () => {
  before(async () => {
    const file = join(world.product.directory ?? world.product.data, "shop.yaml");
    writeFileSync(file, SHOP_PLAN);
    world.product.muster("ada", ["--tenant", "acme", "apply", "-f", file]);
    world.product.muster("olga", ["plan", "submit", "shop-to-ams"]);
    const { hash } = world.product.json("ingo", ["plan", "show", "shop-to-ams"]).newest;
    world.product.muster("ingo", ["plan", "publish", "shop-to-ams", "--hash", hash]);
    world.product.muster("olga", ["gap", "open", "--title", "Nobody has tried the spare line to Amsterdam", "--severity", "moderate", "--resource", "orders-db"]);
    const request = await world.drilled("billing-db");
    const pending = world.open("--type", "switchover", "--group", "shop", "--to", "ams", "--reason", "site maintenance");
    pages = everyPage({ request, pending, plan: "shop-to-ams", schedule: "orders-monthly-proof" });
  }, { timeout: 300_000 });

  it("is looked at here", () => {
    const known = new Set(Object.values(pages).map(({ route }) => route));
    const routes = routesOfTheConsole();
    assert.ok(routes.length > 15, `the pages are found: ${routes}`);
    assert.deepEqual(routes.filter((route) => !known.has(route)), []);
    assert.deepEqual([...known].filter((route) => !routes.includes(route)), []);
  });

  it("is in another theme the same page in other colours", async () => {
    await world.as("vera", async (page) => {
      const { colours, other } = await themesSet(page);
      assert.ok(colours >= 2 * 15, `the themes are found: ${colours} colours`);
      assert.deepEqual(other, [], "then the dark pages must be looked at with all of axe's rules, too");
    });
  });

  for (const size of Object.keys(SIZES)) {
    it(`looks right and is axe-clean in both themes, ${size}`, async () => {
      await eachPage(() => true, BUSY, async (page, name, { address }) => {
        await page.goto(url(address));
        await page.getByRole("heading", { level: 1 }).waitFor();
        await nothingLoads(page, name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(wide <= 0, `${name} at ${size} is ${wide} px too wide`);
        for (const theme of THEMES) {
          await page.emulateMedia({ colorScheme: theme });
          await axeClean(page, `${name}, ${size}, ${theme}`, { coloursOnly: theme !== THEMES[0] });
          await picture(page, `${name}-${size}-${theme}`);
        }
        await page.emulateMedia({ colorScheme: THEMES[0] });
      }, { size });
    });
  }

  it("has the sections that do not fit on a phone under More", async () => {
    await world.as("ada", async (page) => {
      await page.getByRole("button", { name: "More" }).click();
      await page.getByRole("menuitem", { name: "Audit" }).click();
      await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
    }, { size: "phone" });
  });

  it("shows a plan as a graph of its phases", async () => {
    await world.as("vera", async (page) => {
      await page.goto(url(pages.plan.address));
      await main(page).getByText("Move the catalogue").waitFor();
      await picture(page, "plan-steps");
    });
  });

  it("says that it loads, and pretends nothing meanwhile; then who one may ask where one's roles do not allow it", async () => {
    await eachPage(asking, WAITING, async (page, name, { address }) => {
      let refuse;
      const refused = new Promise((resolve) => { refuse = resolve; });
      await answered(page, (route) => refused.then(() => route.fulfill(REFUSED)));
      await page.goto(url(address));
      // Not the word that stands there until the pages' program runs.
      await page.getByText(/^Loading (?!Muster$)/).first().waitFor({ state: "attached" });
      const claims = main(page).locator(":is(p, h2, td, .light):not(.chip *)").filter({ hasText: /^\s*(Green|Nothing|None|No |Nobody)/ });
      assert.deepEqual(await claims.allTextContents(), [], `${name} claims something that it cannot know yet`);
      refuse();
      await page.getByRole("alert").filter({ hasText: /this role may not/i }).first().waitFor();
      await nothingLoads(page, name);
      await axeClean(page, `${name} without the right`);
    });
  });

  it("says that Muster does not answer, and since when", async () => {
    await eachPage(asking, WAITING, async (page, name, { address }) => {
      await answered(page, (route) => route.abort());
      await page.goto(url(address));
      await page.getByText(/No connection to Muster since/).waitFor();
      // The fleet's stream goes on trying; everything else says that it has given up.
      if (name !== "fleet") await nothingLoads(page, name);
    });
  });

  it("says that there is nothing, in words, where there is nothing", async () => {
    await eachPage(({ empty }) => empty, BUSY, async (page, _, { address, empty }) => {
      await page.goto(url(address.replace("/t/acme", "/t/globex")));
      await main(page).getByText(empty).first().waitFor();
      await axeClean(page, `${address} with nothing`);
    }, { person: "gina" });
  });
});
