// npm run pictures: README's pictures, out of those that the journeys took. Run the journeys first (npm test).

import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { PICTURES } from "./browser.mjs";
import { PROJECT } from "./product.mjs";

/** Their name in docs/pictures, and the journey's name for them. */
const SHOWN = {
  fleet: "fleet-red",
  resource: "resource-red",
  plan: "plan-steps",
  approval: "request-decide",
  run: "request-running",
  result: "request-succeeded",
};

const missing = Object.values(SHOWN).filter((taken) => !existsSync(join(PICTURES, `${taken}.png`)));
if (missing.length > 0) throw new Error(`${PICTURES} has no ${missing.join(", ")}. Next: npm test in testing/console`);
const target = join(PROJECT, "docs/pictures");
mkdirSync(target, { recursive: true });
for (const [name, taken] of Object.entries(SHOWN)) {
  copyFileSync(join(PICTURES, `${taken}.png`), join(target, `${name}.png`));
  console.log(`docs/pictures/${name}.png`);
}
