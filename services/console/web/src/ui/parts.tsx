// The pages of one section, as links: each has an address of its own.

import { Link } from "wouter";

export function PartLinks<Part extends string>({ label, parts, here, hrefOf }: { label: string; parts: Readonly<Record<Part, string>>; here: Part; hrefOf: (part: Part) => string }) {
  return (
    <nav aria-label={label}>
      <ul className="tabs">
        {(Object.keys(parts) as Part[]).map((part) => (
          <li key={part}>
            <Link href={hrefOf(part)} aria-current={part === here ? "page" : undefined}>
              {parts[part]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
