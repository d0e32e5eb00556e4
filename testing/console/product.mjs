// `muster up` as a process with its own data, removed at the end. MUSTER_URL, MUSTER_DATA and MUSTER_PID name a running one
// instead.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const PROGRAM = process.env.MUSTER_PROGRAM ?? join(process.env.CARGO_TARGET_DIR ?? join(PROJECT, "target"), "debug/muster");
const START_LIMIT_MS = 240_000;
const STOP_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 250;

/** Asks again and again until there is an answer other than undefined; says at the end what was waited for. */
export async function until(what, look, limitMs = 60_000) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs / 1000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

export class Product {
  static async start() {
    if (process.env.MUSTER_URL) return new Product(process.env.MUSTER_DATA, process.env.MUSTER_URL);
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not built. Next: cargo build -p muster`);
    // PostgreSQL's user must be able to enter when we are root.
    const directory = mkdtempSync(join(tmpdir(), "muster-console-"));
    chmodSync(directory, 0o755);
    const product = new Product(join(directory, "data"));
    product.directory = directory;
    const log = openSync(join(directory, "up.log"), "a");
    product.process = spawn(PROGRAM, ["--data", product.data, "up", "--port", `${await freePort()}`], {
      stdio: ["ignore", log, log],
      env: { ...process.env, MUSTER_TELEMETRY__LOG_FORMAT: "json" },
      detached: true,
    });
    try {
      await until("the product to be up", () => product.isUp(), START_LIMIT_MS);
    } catch (error) {
      const log = product.log();
      await product.stop();
      throw new Error(`${error.message}\n${log}`, { cause: error });
    }
    return product;
  }

  constructor(data, url) {
    this.data = data;
    this.url = url;
    this.logins = new Set();
  }

  /** For a process that is to use this product, too. */
  handedOn() {
    return { MUSTER_URL: this.url, MUSTER_DATA: this.data, MUSTER_PID: `${this.pid}` };
  }

  log() {
    return readFileSync(join(this.directory, "up.log"), "utf8").slice(-4000);
  }

  async isUp() {
    if (this.process.exitCode !== null) throw new Error(`it ended: ${this.log()}`);
    const port = join(this.data, "http.port");
    if (!existsSync(port)) return undefined;
    this.url = `http://127.0.0.1:${readFileSync(port, "utf8").trim()}`;
    const ready = await fetch(`${this.url}/readyz`).then((answer) => answer.ok, () => false);
    if (!ready) return undefined;
    try {
      const { resources } = JSON.parse(this.muster("vera", ["get", "readiness", "-o", "json"]));
      return resources.length > 0 && resources.every((resource) => resource.assessment?.status === "STATUS_GREEN") ? true : undefined;
    } catch {
      return undefined;
    }
  }

  /** `muster …` as a person with an own profile. */
  muster(person, args) {
    const run = (all) =>
      execFileSync(PROGRAM, ["--data", this.data, "--server", this.url, "--profile", person, ...all], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, XDG_CONFIG_HOME: join(this.data, "../config") },
      });
    if (!this.logins.has(person)) {
      run(["login", "--as", person]);
      this.logins.add(person);
    }
    return run(args);
  }

  json(person, args) {
    return JSON.parse(this.muster(person, [...args, "-o", "json"]));
  }

  demo(...args) {
    return execFileSync(PROGRAM, ["--data", this.data, "demo", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  status(resource) {
    return this.json("vera", ["get", "readiness"]).resources.find((found) => found.resource === resource)?.assessment?.status;
  }

  async becomes(resource, status) {
    await until(`${resource} to be ${status}`, () => this.status(resource) === `STATUS_${status}` || undefined, 90_000);
  }

  get pid() {
    return this.process?.pid ?? Number(process.env.MUSTER_PID);
  }

  /** It is there and does not answer: what a hanging machine looks like. */
  freeze() {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw() {
    process.kill(this.pid, "SIGCONT");
  }

  async stop() {
    if (!this.process) return;
    this.process.kill("SIGTERM");
    await until("the product to stop", () => this.process.exitCode !== null || this.process.signalCode !== null || undefined, STOP_LIMIT_MS).catch(() => this.process.kill("SIGKILL"));
    // The demo's world and the protected servers name their directory; nothing else does.
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const command = commandOf(pid);
      if (command.includes(`${this.directory}/`)) kill(Number(pid));
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Not the usual one: somebody may have a product of their own running. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

function kill(pid) {
  if (pid === process.pid) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
