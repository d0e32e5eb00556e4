// npm run memory: does the memory of pages that stay open grow? Opens the fleet and one resource on the running product, with
// its live updates, and asks the browser each minute, after a forced collection of garbage, what is really held. Fails when
// that goes up. Half an hour; MUSTER_MEMORY_MINUTES makes it shorter.

import { openBrowser, visit } from "./browser.mjs";
import { Product } from "./product.mjs";
import { slope } from "./trend.mjs";

const MINUTES = Number(process.env.MUSTER_MEMORY_MINUTES ?? 30);
const SAMPLE_EVERY_MS = 60_000;
/** What the engine compiles in the first half hour is on the heap, too, and hides what the page keeps: nothing is compiled here. */
const WITHOUT_MACHINE_CODE = ["--js-flags=--jitless"];
/** The page's own caches are filled in the first minutes. */
const WARM_UP_MINUTES = 2;
const MIB = 1_048_576;
/** A page that is open for a week would then hold 170 MiB more: a browser bears that. What keeps each message grows ten times as fast. */
const LIMIT_BYTES_AN_HOUR = 1 * MIB;
/** Nodes that are kept though they are shown no more. */
const LIMIT_NODES_AN_HOUR = 1_000;

const PAGES = { fleet: "", resource: "/resources/orders-db" };

async function watch(browser, product, [name, path]) {
  const visitor = await visit(browser, product.url, "vera");
  await visitor.page.goto(`${product.url}/t/acme${path}`);
  await visitor.page.getByRole("heading", { level: 1 }).waitFor();
  const debug = await visitor.context.newCDPSession(visitor.page);
  await debug.send("HeapProfiler.enable");
  const sample = async (minute) => {
    // What the first collection frees may free more.
    for (let turn = 0; turn < 2; turn += 1) await debug.send("HeapProfiler.collectGarbage");
    const { usedSize } = await debug.send("Runtime.getHeapUsage");
    const { nodes, jsEventListeners } = await debug.send("Memory.getDOMCounters");
    // A page that is not live any more proves nothing.
    const dead = await visitor.page.getByText(/stale|No connection to Muster/).count();
    if (dead > 0) visitor.problems.push(`not live after ${minute} min`);
    console.log(`${String(minute).padStart(3)} min  ${name.padEnd(9)} ${(usedSize / MIB).toFixed(2)} MiB  ${nodes} nodes  ${jsEventListeners} listeners`);
    return { heap: { minute, value: usedSize }, nodes: { minute, value: nodes } };
  };
  return { name, sample, samples: [], problems: visitor.problems };
}

function verdict({ name, samples, problems }) {
  const settled = samples.filter(({ heap }) => heap.minute >= WARM_UP_MINUTES);
  const [bytes, nodes] = ["heap", "nodes"].map((what) => slope(settled.map((sample) => sample[what])) * 60);
  const grows = !(bytes <= LIMIT_BYTES_AN_HOUR && nodes <= LIMIT_NODES_AN_HOUR);
  console.log(`${name}: ${(bytes / MIB).toFixed(2)} MiB and ${Math.round(nodes)} nodes an hour (limits ${LIMIT_BYTES_AN_HOUR / MIB} MiB, ${LIMIT_NODES_AN_HOUR}): ${grows ? "GROWS" : "flat"}`);
  for (const problem of problems) console.log(`${name}: ${problem}`);
  return grows || problems.length > 0;
}

if (!(MINUTES >= WARM_UP_MINUTES + 3)) throw new Error(`MUSTER_MEMORY_MINUTES is ${process.env.MUSTER_MEMORY_MINUTES}; at least ${WARM_UP_MINUTES + 3} minutes say something`);
const product = await Product.start();
const browser = await openBrowser(WITHOUT_MACHINE_CODE);
try {
  const watched = await Promise.all(Object.entries(PAGES).map((page) => watch(browser, product, page)));
  const begun = Date.now();
  for (let minute = 0; minute <= MINUTES; minute += 1) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + minute * SAMPLE_EVERY_MS - Date.now())));
    for (const one of watched) one.samples.push(await one.sample(minute));
  }
  process.exitCode = watched.map(verdict).some(Boolean) ? 1 : 0;
} finally {
  await browser.close();
  await product.stop();
}
