// A month of due times: a table of weeks at a desk, a list of days on a phone. Both are the same table.

import { Link } from "wouter";
import type { Occurrence } from "../../gen/muster/schedule/v1/schedule_pb.ts";
import { serverNow } from "../../api/session.ts";
import { exactUtc, instant } from "../../lib/time.ts";
import { capital, occurrenceState } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { type Month, weeks } from "./calendar.ts";
import { OCCURRENCE_TONES, scopeOf } from "./data.ts";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const LONG = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });
const TITLE = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric" });

export const titleOf = ({ year, month }: Month): string => TITLE.format(new Date(year, month, 1));

export function MonthTable({ tenant, month, occurrences }: { tenant: string; month: Month; occurrences: Occurrence[] }) {
  const today = new Date(serverNow()).toDateString();
  return (
    <table className="month" aria-label={titleOf(month)}>
      <thead>
        <tr>
          {DAYS.map((day) => (
            <th key={day} scope="col">
              {day}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {weeks(month, occurrences).map((week) => (
          <tr key={week[0]?.at}>
            {week.map((day) => {
              const now = new Date(day.at).toDateString() === today;
              const kind = [!day.inside && "outside", now && "today", day.items.length === 0 && "without"].filter(Boolean).join(" ");
              return (
                <td key={day.at} className={kind} aria-current={now ? "date" : undefined}>
                  <span className="date">
                    <span className="number">{day.day}</span>
                    <span className="long">{LONG.format(day.at)}</span>
                  </span>
                  <ul>
                    {day.items.map((item) => (
                      <Due key={`${item.schedule}/${String(item.dueAt?.seconds)}`} tenant={tenant} item={item} />
                    ))}
                  </ul>
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Due({ tenant, item }: { tenant: string; item: Occurrence }) {
  const at = instant(item.dueAt) ?? 0;
  return (
    <li className="due">
      <Light tone={OCCURRENCE_TONES[item.state]}>{capital(occurrenceState(item.state))}</Light>
      <div>
        <time dateTime={exactUtc(at)} title={`${item.localTime}\n${exactUtc(at)}`}>
          {TIME.format(at)}
        </time>{" "}
        <Link href={`/t/${tenant}/schedules/${item.schedule}`}>{item.schedule}</Link>
      </div>
      <div className="quiet">
        {item.what.replaceAll("-", " ")}, {scopeOf(item)}
      </div>
    </li>
  );
}
