// npm run speed: how fast the fleet of 5,000 resources is there, on a machine that does nothing else. Fails above one second.

import { openBrowser, visit } from "./browser.mjs";
import { Product } from "./product.mjs";
import { openLargeFleet } from "./thousands.mjs";
import { median } from "./trend.mjs";

const RESOURCES = 5_000;
const TURNS = 9;
const LIMIT_MS = 1_000;
const WORDS = { painted: "first contentful paint", interactive: "time to interactive" };

const product = await Product.start();
const browser = await openBrowser();
try {
  const turns = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    // A browser context of its own: nothing is cached.
    const visitor = await visit(browser, product.url, "vera");
    turns.push(await openLargeFleet(visitor.page, `${product.url}/t/acme`, RESOURCES));
    await visitor.close();
  }
  for (const [what, word] of Object.entries(WORDS)) {
    const times = turns.map((turn) => turn[what]);
    console.log(`${RESOURCES} resources, ${word}: median ${Math.round(median(times))} ms, worst ${Math.round(Math.max(...times))} ms of ${TURNS}`);
    if (!(median(times) < LIMIT_MS)) process.exitCode = 1;
  }
} finally {
  await browser.close();
  await product.stop();
}
