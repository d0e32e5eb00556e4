// npm test: all journeys, in lanes beside each other. The files of a lane share one product, one after the other, so what one of
// them leaves behind is there for the next. Most of a journey is waiting for a real system, so lanes cost each other little.
// `npm test -- record` runs only that file.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Product } from "./product.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
/**
 * A journey that stops the product for a while, or breaks and moves what others look at, is in another lane than they. Before it in
 * its own may be what leaves every system as it was; no lane should take much longer than the others.
 */
const LANES = [["pages"], ["console"], ["record", "message-approval", "operations"]];
const journey = (name) => `journeys/${name}.test.mjs`;

const running = new Set();
let ended = false;

/** One file of tests in a process of its own; what it said is shown when it has ended, so that lanes do not mix. */
async function run(file, env) {
  if (ended) return false;
  const begun = Date.now();
  const tests = spawn(process.execPath, ["--test", "--test-reporter=spec", file], { cwd: HERE, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  running.add(tests);
  const said = [];
  for (const stream of [tests.stdout, tests.stderr]) stream.on("data", (text) => said.push(text));
  const [code] = await once(tests, "close");
  running.delete(tests);
  console.log(`${Buffer.concat(said)}${file}: ${code === 0 ? "ok" : "FAILED"} (${Math.round((Date.now() - begun) / 1000)} s)\n`);
  return code === 0;
}

async function lane(names) {
  const begun = Date.now();
  const product = await Product.start();
  console.log(`${names.join(", ")}: the product is up (${Math.round((Date.now() - begun) / 1000)} s)`);
  let good = true;
  try {
    for (const name of names) good = (await run(journey(name), product.handedOn())) && good;
  } finally {
    await product.stop();
  }
  return good;
}

const all = readdirSync(join(HERE, "journeys")).map((name) => name.replace(".test.mjs", ""));
const forgotten = all.filter((name) => !LANES.flat().includes(name));
if (forgotten.length > 0) throw new Error(`no lane has ${forgotten.join(", ")}. Next: add it to LANES in lanes.mjs`);
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !all.includes(name));
if (unknown.length > 0) throw new Error(`there is no ${unknown.join(", ")}; there are ${all.join(", ")}`);
const lanes = LANES.map((names) => names.filter((name) => chosen.length === 0 || chosen.includes(name))).filter((names) => names.length > 0);

// Products outlive their parent: they are stopped whatever ends us, also when nobody is left to read what we say.
process.stdout.on("error", () => undefined);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    ended = true;
    for (const tests of running) tests.kill("SIGTERM");
  });
}
// A product that was named by the caller is one for all: its journeys wait for each other.
const beside = process.env.MUSTER_URL ? [lanes.flat()] : lanes;
const outcomes = await Promise.allSettled([run("trend.test.mjs"), ...beside.map(lane)]);
for (const { reason } of outcomes) if (reason) console.log(reason);
process.exitCode = outcomes.every(({ value }) => value === true) && !ended ? 0 : 1;
