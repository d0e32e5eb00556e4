// Writes src/gen: the typed client of the API from proto/, who may call what from docs/access.md, and which checks may be
// overridden from docs/approvals.md. Both pages are compared with the domain by its own tests.
//   node generate/generate.mjs          writes
//   node generate/generate.mjs --check  compares with what is checked in, and fails on a difference
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const project = join(web, "../../..");
const checkedIn = join(web, "src/gen");

function files(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

function buf() {
  const base = execFileSync(join(project, "scripts/setup"), ["--where"], { encoding: "utf8" }).trim();
  const own = join(base, "tools/bin/buf");
  return existsSync(own) ? own : "buf";
}

function generateClient(target) {
  const template = {
    version: "v2",
    plugins: [{ local: join(web, "node_modules/.bin/protoc-gen-es"), out: target, opt: ["target=ts", "import_extension=ts"] }],
  };
  for (const contracts of [join(project, "proto"), join(web, "generate/proto")]) {
    execFileSync(buf(), ["generate", contracts, "--template", JSON.stringify(template)], { stdio: "inherit" });
  }
}

/** The table of roles and methods, so that pages hide what the API would refuse anyway. */
function generateAccess(target) {
  const rows = [];
  for (const line of readFileSync(join(project, "docs/access.md"), "utf8").split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    const method = cells[1]?.match(/^`(muster\.[\w.]+)\/(\w+)`$/);
    if (!method) continue;
    const roles = cells[2].startsWith("everybody") ? [] : cells[2].split(", ");
    rows.push([`${method[1].split(".").pop()}/${method[2]}`, { roles, peopleOnly: cells[3] === "yes" }]);
  }
  if (rows.length < 20) throw new Error(`docs/access.md has only ${rows.length} rows that can be read`);
  const entries = rows.map(([name, rule]) => `  ${JSON.stringify(name)}: ${JSON.stringify(rule)},`).join("\n");
  writeFileSync(
    join(target, "access.ts"),
    `// Generated from docs/access.md by generate/generate.mjs. Do not edit.\n\nexport const ACCESS = {\n${entries}\n} as const satisfies Record<string, { roles: readonly string[]; peopleOnly: boolean }>;\n\nexport type Method = keyof typeof ACCESS;\n`,
  );
}

/** The checks that a person may take the responsibility for, each with what it weighs. */
function generateOverridable(target) {
  const lines = readFileSync(join(project, "docs/approvals.md"), "utf8").split("\n");
  const head = lines.indexOf("| check | weighs |");
  const rows = [];
  // Past the heading and the line below it, as far as the table goes.
  for (const line of head < 0 ? [] : lines.slice(head + 2)) {
    const row = line.match(/^\| `(\w+)` \| (.+) \|$/);
    if (!row) break;
    rows.push([row[1], row[2].replaceAll("`", "")]);
  }
  if (rows.length < 5) throw new Error(`docs/approvals.md has only ${rows.length} checks that can be overridden`);
  const entries = rows.map(([check, weighs]) => `  ${check}: ${JSON.stringify(weighs)},`).join("\n");
  writeFileSync(
    join(target, "overridable.ts"),
    `// Generated from docs/approvals.md by generate/generate.mjs. Do not edit.\n\nexport const OVERRIDABLE: Readonly<Record<string, string>> = {\n${entries}\n};\n`,
  );
}

function generateInto(target) {
  generateClient(target);
  generateAccess(target);
  generateOverridable(target);
}

if (process.argv[2] === "--check") {
  const fresh = mkdtempSync(join(tmpdir(), "muster-console-gen-"));
  try {
    generateInto(fresh);
    const names = new Set([...files(fresh), ...files(checkedIn)]);
    const text = (directory, name) => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), "utf8") : null);
    const different = [...names].filter((name) => text(fresh, name) !== text(checkedIn, name));
    if (different.length > 0) {
      console.error(`src/gen differs from proto/, docs/access.md or docs/approvals.md: ${different.join(", ")}\nNext: npm run generate in services/console/web, and commit it`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(fresh, { recursive: true });
  }
} else {
  rmSync(checkedIn, { recursive: true, force: true });
  generateInto(checkedIn);
}
