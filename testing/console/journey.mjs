// What journeys have in common: one product and one browser for a file of them, and the small steps that many take.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { axeFindings, openBrowser, startPage, visit } from "./browser.mjs";
import { Product, until } from "./product.mjs";

/** For a run, from its start to its end. */
export const RUN_LIMIT_MS = 180_000;
const START_LIMIT_MS = 300_000;
const STOP_LIMIT_MS = 120_000;

export class World {
  /** Registers the start and the end of the file. */
  static forThisFile() {
    const world = new World();
    before(async () => {
      world.product = await Product.start();
      world.browser = await openBrowser();
    }, { timeout: START_LIMIT_MS });
    after(async () => {
      await world.browser?.close();
      await world.product?.stop();
    }, { timeout: STOP_LIMIT_MS });
    return world;
  }

  /** The people who are logged in, by their name and how they look at it. */
  visitors = new Map();

  /**
   * As one person, from the start page on; nothing may be complained about by the browser. A person's first journey logs in, later
   * ones have a new page in that session. `loggedIn: "anew"` has a session of its own, for journeys that look at it or end it.
   */
  async as(person, journey, { loggedIn, ...how } = {}) {
    const key = JSON.stringify([person, how]);
    const known = loggedIn === "anew" ? undefined : this.visitors.get(key);
    const visitor = known ?? (await visit(this.browser, this.product.url, person, how));
    const page = known ? await startPage(known.context, this.product.url) : visitor.page;
    this.visitors.delete(key);
    try {
      await journey(page, visitor);
      assert.deepEqual(visitor.problems, []);
    } catch (error) {
      await visitor.close();
      throw error;
    }
    if (loggedIn === "anew") return visitor.close();
    for (const open of visitor.context.pages()) await open.close();
    this.visitors.set(key, visitor);
  }

  at(path, tenant = "acme") {
    return `${this.product.url}/t/${tenant}${path}`;
  }

  /** Opens a request on the command line and answers with its number. */
  open(...args) {
    return this.product.json("olga", ["request", "open", ...args]).requestId;
  }

  /** A readiness drill from the request to its end, on the command line; answers with its number. */
  async drilled(resource) {
    const id = this.open("--type", "readiness-drill", "--resource", resource, "--reason", "is it ready?");
    const shown = () => this.product.json("vera", ["request", "show", id]);
    for (const approver of ["ingo", "bea"]) {
      if (shown().missing?.length > 0) this.product.muster(approver, ["request", "approve", id]);
    }
    this.product.muster("olga", ["request", "start", id, "--confirm", shown().opened.confirmationPhrase]);
    await until("the drill to succeed", () => shown().state === "REQUEST_STATE_SUCCEEDED" || undefined, RUN_LIMIT_MS);
    return id;
  }
}

export const main = (page) => page.getByRole("main");

export async function axeClean(page, name, rules) {
  assert.deepEqual(await axeFindings(page, rules), [], `axe on ${name}`);
}

/** In the open dialog: fills one field, or none, and does it. */
export async function say(page, label, text, button) {
  const dialog = page.getByRole("dialog");
  if (label) await dialog.getByLabel(label).fill(text);
  await dialog.getByRole("button", { name: button, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

/** Why a button is not possible now: it stands in its place and says so. */
export async function whyNot(button) {
  assert.equal(await button.getAttribute("aria-disabled"), "true");
  return button.textContent();
}

/** Opens a request through the form of a resource's page and answers with its number. */
export async function ask(page, address, type, reason) {
  await page.goto(address);
  await page.getByRole("button", { name: "Request a move or drill" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type").selectOption({ label: type });
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByText(/Who must approve:/).waitFor();
  await dialog.getByRole("button", { name: "Open request" }).click();
  await page.waitForURL(/\/requests\/[0-9a-f-]{36}$/);
  return page.url().split("/").pop();
}

/** Types the phrase that the dialog shows. */
export async function start(page) {
  await main(page).getByRole("button", { name: "Start", exact: true }).click();
  const phrase = await page.getByRole("dialog").locator("code.phrase").textContent();
  await say(page, "Type the phrase to start", phrase, "Start now");
}
