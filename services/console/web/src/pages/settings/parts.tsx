// The parts of the settings, as links: each has an address of its own.

import { Link } from "wouter";

export const PARTS = { "": "Documents", "who-must-approve": "Who must approve", gates: "Gates", people: "People and roles" } as const;
export type Part = keyof typeof PARTS;

export function Parts({ tenant, here }: { tenant: string; here: Part }) {
  return (
    <nav aria-label="Settings">
      <ul className="tabs">
        {(Object.keys(PARTS) as Part[]).map((part) => (
          <li key={part}>
            <Link href={`/t/${tenant}/settings${part && `/${part}`}`} aria-current={part === here ? "page" : undefined}>
              {PARTS[part]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
