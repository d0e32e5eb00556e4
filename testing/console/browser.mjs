// A browser as one person uses it: logged in through the real login, at phone or desk size, dark or light.

import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PICTURES = process.env.MUSTER_PICTURES ?? join(dirname(fileURLToPath(import.meta.url)), "../../target/console-pictures");

export const SIZES = { desk: { width: 1360, height: 860 }, phone: { width: 390, height: 844 } };
export const THEMES = ["light", "dark"];

export function chromiumProgram() {
  return [process.env.MUSTER_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
}

export async function openBrowser(more = []) {
  // The sandbox needs rights that root in a container does not have; the pages are our own.
  const args = process.getuid?.() === 0 ? [...more, "--no-sandbox"] : more;
  return chromium.launch({ executablePath: chromiumProgram(), args });
}

/** With MUSTER_DIST the pages come from there as they were built last, so that Muster need not be built again to try them. */
async function builtPages(context) {
  const dist = process.env.MUSTER_DIST && join(process.env.MUSTER_DIST, "assets");
  if (!dist) return;
  await context.route(/\/assets\/index-[^/]+\.(js|css)$/, (route) => {
    const ending = route.request().url().split(".").pop();
    return route.fulfill({ path: join(dist, readdirSync(dist).find((name) => name.startsWith("index-") && name.endsWith(`.${ending}`))) });
  });
}

/** A page of its own for one person. `problems` fills with what the browser complains about. */
export async function visit(browser, url, person, { size = "desk", theme = "light" } = {}) {
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: theme,
    reducedMotion: "reduce",
    hasTouch: size === "phone",
    isMobile: size === "phone",
    timezoneId: "Europe/Berlin",
  });
  await builtPages(context);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("blob:")) problems.push(`request to elsewhere: ${request.url()}`);
  });
  await page.goto(`${url}/login?login_hint=${person}&back_to=${encodeURIComponent("/")}`);
  await page.getByRole("navigation", { name: "Sections" }).waitFor();
  return { page, context, problems, close: () => context.close() };
}

export async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** What axe finds against WCAG 2.2 A and AA, in words; empty when clean. */
export async function axeFindings(page) {
  // Evaluated by the debugger, which the page's own content policy does not bind.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] } }),
  );
  return violations.map((found) => `${found.id}: ${found.help}: ${found.nodes.map((node) => `${node.target.join(" ")} ${node.failureSummary}`).slice(0, 3).join(" | ")}`);
}
