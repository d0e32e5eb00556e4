// What a page shows is in its address: it can be sent to a colleague, and "back" goes back.

import { useSearchParams } from "wouter";

/** The named fields of the address, "" where absent, and a way to change some of them. */
export function useFields<Name extends string>(names: readonly Name[]): [Record<Name, string>, (change: Partial<Record<Name, string>>) => void] {
  const [query, setQuery] = useSearchParams();
  const fields = Object.fromEntries(names.map((name) => [name, query.get(name) ?? ""])) as Record<Name, string>;
  const change = (changes: Partial<Record<Name, string>>) =>
    setQuery(
      (before) => {
        const after = new URLSearchParams(before);
        for (const [name, value] of Object.entries(changes) as [Name, string][]) {
          if (value) after.set(name, value);
          else after.delete(name);
        }
        return after;
      },
      { replace: true },
    );
  return [fields, change];
}

/** "red,unknown" as a set. */
export function listOf(field: string): Set<string> {
  return new Set(field.split(",").filter(Boolean));
}

export function toggled(field: string, value: string): string {
  const set = listOf(field);
  if (!set.delete(value)) set.add(value);
  return [...set].join(",");
}
