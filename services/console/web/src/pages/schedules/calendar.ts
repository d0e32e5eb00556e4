// A month as weeks of days, in the reader's own zone, and the due times that fall on each day.

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { instant } from "../../lib/time.ts";

export interface Month {
  year: number;
  /** 0 for January. */
  month: number;
}

export interface Day<T> {
  /** Midnight at its beginning, in the reader's zone. */
  at: number;
  day: number;
  /** Of the month that is shown, and not of the ones around it. */
  inside: boolean;
  items: T[];
}

const FIELD = /^(\d{4})-(0[1-9]|1[0-2])$/;

/** "2026-11", or the month of `now`. */
export function monthOf(field: string, now: number): Month {
  const found = FIELD.exec(field);
  if (found) return { year: Number(found[1]), month: Number(found[2]) - 1 };
  const today = new Date(now);
  return { year: today.getFullYear(), month: today.getMonth() };
}

export function fieldOf({ year, month }: Month): string {
  return `${year}-${String(month + 1).padStart(2, "0")}`;
}

export function moved({ year, month }: Month, by: number): Month {
  const at = new Date(year, month + by, 1);
  return { year: at.getFullYear(), month: at.getMonth() };
}

/** Monday first. By the calendar, not by 24 hours: days of a change of clocks are whole. */
export function bounds({ year, month }: Month): { from: number; until: number } {
  const first = new Date(year, month, 1);
  const last = new Date(year, month + 1, 0);
  const lead = (first.getDay() + 6) % 7;
  const trail = 6 - ((last.getDay() + 6) % 7);
  return { from: new Date(year, month, 1 - lead).getTime(), until: new Date(year, month + 1, trail + 1).getTime() };
}

export function weeks<T extends { dueAt?: Timestamp | undefined }>(shown: Month, items: readonly T[]): Day<T>[][] {
  const { from, until } = bounds(shown);
  const days: Day<T>[] = [];
  for (let at = from; at < until; ) {
    const date = new Date(at);
    const next = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
    const inside = date.getMonth() === shown.month;
    const due = items.filter((item) => {
      const when = instant(item.dueAt);
      return when !== undefined && at <= when && when < next;
    });
    days.push({ at, day: date.getDate(), inside, items: due.sort((a, b) => (instant(a.dueAt) ?? 0) - (instant(b.dueAt) ?? 0)) });
    at = next;
  }
  return Array.from({ length: days.length / 7 }, (_, week) => days.slice(week * 7, week * 7 + 7));
}
