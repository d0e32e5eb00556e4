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
  const system = ["chromium", "chromium-browser", "google-chrome"].map((name) => `/usr/bin/${name}`);
  const unpacked = join(dirname(fileURLToPath(import.meta.url)), "../../.muster/tools/debian/bin/chromium");
  return [process.env.MUSTER_CHROMIUM, ...system, unpacked].find((path) => path && existsSync(path));
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
  context.setDefaultTimeout(60_000);
  const problems = [];
  // Of every page that this person opens.
  context.on("weberror", (error) => problems.push(`error: ${error.error().message}`));
  context.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("blob:")) problems.push(`request to elsewhere: ${request.url()}`);
  });
  const page = await startPage(context, `${url}/login?login_hint=${person}&back_to=${encodeURIComponent("/")}`);
  return { page, context, problems, close: () => context.close() };
}

/** A page that stands where everybody begins, at the fleet; `address` leads there. */
export async function startPage(context, address) {
  const page = await context.newPage();
  await page.goto(address);
  await page.getByRole("navigation", { name: "Sections" }).waitFor();
  return page;
}

export async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** WCAG 2.2 A and AA, and what axe calls good practice. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/**
 * What axe finds, in words; empty when clean. `coloursOnly` asks the rules of axe's category "color" alone: enough for a page that
 * all rules have seen in the other theme, as a theme changes nothing but colours (`themesSet`).
 */
export async function axeFindings(page, { coloursOnly = false } = {}) {
  // Evaluated by the debugger, which the page's own content policy does not bind.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
  const violations = await page.evaluate(async ([rules, coloursOnly]) => {
    const ofColour = globalThis.axe.getRules(rules).filter(({ tags }) => tags.includes("cat.color"));
    const runOnly = coloursOnly ? { type: "rule", values: ofColour.map(({ ruleId }) => ruleId) } : { type: "tag", values: rules };
    return (await globalThis.axe.run(document, { runOnly, resultTypes: ["violations"] })).violations;
  }, [RULES, coloursOnly]);
  return violations.map((found) => `${found.id}: ${found.help}: ${found.nodes.map((node) => `${node.target.join(" ")} ${node.failureSummary}`).slice(0, 3).join(" | ")}`);
}

/** What the themes set other than colours, of the page that is open: nothing. And how many colours they set. */
export function themesSet(page) {
  return page.evaluate(() => {
    const themed = (rule) => (rule instanceof CSSMediaRule ? rule.conditionText.includes("prefers-color-scheme") : rule.selectorText?.includes("data-theme"));
    const within = (rule) => (rule instanceof CSSStyleRule ? [rule.style] : [...(rule.cssRules ?? [])].flatMap(within));
    const find = (rule) => (themed(rule) ? within(rule) : [...(rule.cssRules ?? [])].flatMap(find));
    const set = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).flatMap(find).flatMap((style) => [...style].map((name) => [name, style.getPropertyValue(name).trim()]));
    // Two properties are what the build makes of light-dark(), which takes colours only.
    const isColour = ([name, value]) => name === "color-scheme" || /^--lightningcss-(light|dark)$/.test(name) || (name.startsWith("--") && CSS.supports("color", value));
    return { colours: set.filter(isColour).length, other: set.filter((one) => !isColour(one)).map((one) => one.join(": ")) };
  });
}
