import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { bounds, fieldOf, monthOf, moved, weeks } from "./calendar.ts";

const due = (iso: string) => ({ dueAt: timestampFromMs(Date.parse(iso)) });

describe("a month of due times", () => {
  it("is whole weeks, Monday first, also over the year's end", () => {
    for (let month = 0; month < 24; month += 1) {
      const shown = moved({ year: 2026, month: 0 }, month);
      const found = weeks(shown, []);
      expect(found.every((week) => week.length === 7)).toBe(true);
      expect(new Date(found[0]![0]!.at).getDay()).toBe(1);
      const inside = found.flat().filter((day) => day.inside);
      expect(inside.map(({ day }) => day)).toEqual(Array.from({ length: new Date(shown.year, shown.month + 1, 0).getDate() }, (_, index) => index + 1));
    }
  });

  it("has every due time on exactly one day, by the reader's midnight, also where clocks change", () => {
    // Tests run in Berlin's zone: there 25 October 2026 has 25 hours, 29 March 23.
    for (const [shown, times] of [
      [{ year: 2026, month: 9 }, ["2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"]],
      [{ year: 2026, month: 2 }, ["2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"]],
    ] as const) {
      const days = weeks(shown, times.map(due)).flat();
      const placed = days.filter(({ items }) => items.length > 0).map(({ day, items }) => [day, items.length]);
      const middle = shown.month === 9 ? 25 : 29;
      expect(placed).toEqual([
        [middle - 1, 1],
        [middle, 2],
        [middle + 1, 1],
      ]);
    }
  });

  it("shows a day's due times in their order", () => {
    const [later, earlier] = [due("2026-11-21T13:00:00Z"), due("2026-11-21T01:00:00Z")];
    const day = weeks({ year: 2026, month: 10 }, [later, earlier]).flat().find(({ items }) => items.length > 0);
    expect(day).toMatchObject({ day: 21, items: [earlier, later] });
  });

  it("is named in the address, and nonsense there is the present month", () => {
    const now = Date.parse("2026-11-22T08:00:00Z");
    expect(monthOf("2027-01", now)).toEqual({ year: 2027, month: 0 });
    for (const field of ["", "2026-13", "2026-00", "x", "20261-1"]) expect(monthOf(field, now)).toEqual({ year: 2026, month: 10 });
    expect(fieldOf(moved({ year: 2026, month: 11 }, 1))).toBe("2027-01");
    expect(fieldOf(moved({ year: 2026, month: 0 }, -1))).toBe("2025-12");
  });

  it("asks the API for what is shown and no more", () => {
    const { from, until } = bounds({ year: 2026, month: 10 });
    expect([new Date(from).toDateString(), new Date(until).toDateString()]).toEqual(["Mon Oct 26 2026", "Mon Dec 07 2026"]);
  });
});
