// RPO over time: the limit as a band, and what nobody saw as a gap.

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { GetTrendResponse } from "../../gen/muster/readiness/v1/monitor_service_pb.ts";
import { humane, instant, local, milliseconds } from "../../lib/time.ts";

const HEIGHT = 200;
/** Seconds between the lines of the RPO: what people count in, so that no line is called "16 min 40 s". */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_419_200];
/** Pixels: "1 h 30 min" has room. */
const NAMES_WIDTH = 84;

export interface Series {
  /** Seconds since 1970. */
  at: number[];
  /** Seconds; null where it is not known. */
  rpo: (number | null)[];
  known: number;
  unseen: number;
}

export function seriesOf(trend: GetTrendResponse): Series {
  const series: Series = { at: [], rpo: [], known: 0, unseen: 0 };
  for (const point of trend.points) {
    const at = instant(point.at);
    if (at === undefined) continue;
    const rpo = milliseconds(point.rpoMax);
    series.at.push(at / 1000);
    series.rpo.push(rpo === undefined ? null : rpo / 1000);
    if (rpo === undefined) series.unseen += 1;
    else series.known += 1;
  }
  return series;
}

/** What the drawing says, for those who do not see it. */
export function inWords(series: Series, limit: number | undefined): string {
  const known = series.rpo.filter((value): value is number => value !== null);
  if (known.length === 0) return "In this time the RPO was never known.";
  const worst = Math.max(...known);
  const over = limit === undefined ? 0 : known.filter((value) => value > limit).length;
  const parts = [`Worst RPO indicator ${humane(worst * 1000)}`];
  if (limit !== undefined) parts.push(over === 0 ? `never above the limit of ${humane(limit * 1000)}` : `above the limit of ${humane(limit * 1000)} in ${over} of ${series.at.length} intervals`);
  if (series.unseen > 0) parts.push(`not known in ${series.unseen} of ${series.at.length} intervals`);
  return `${parts.join("; ")}.`;
}

export function TrendChart({ series, limit, warning }: { series: Series; limit: number | undefined; warning: number | undefined }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const plot = draw(element, series, limit, warning);
    const width = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    width.observe(element);
    // The colours are the theme's.
    const theme = matchMedia("(prefers-color-scheme: dark)");
    const again = () => plot.redraw();
    theme.addEventListener("change", again);
    const chosen = new MutationObserver(again);
    chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      width.disconnect();
      theme.removeEventListener("change", again);
      chosen.disconnect();
      plot.destroy();
    };
  }, [series, limit, warning]);
  return (
    <figure>
      <div ref={place} className="trend" role="img" aria-label={inWords(series, limit)} />
      <figcaption className="small quiet">{inWords(series, limit)}</figcaption>
    </figure>
  );
}

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(element: HTMLElement, series: Series, limit: number | undefined, warning: number | undefined): uPlot {
  const highest = Math.max(1, limit ?? 0, ...series.rpo.map((value) => value ?? 0)) * 1.15;
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  return new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      scales: { y: { range: [0, highest] } },
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { show: true, live: true },
      hooks: { drawClear: [(plot) => bands(plot, series, limit, warning)] },
      axes: [{ ...axis, values: (_: uPlot, splits: number[]) => axisTimes(splits) }, { ...axis, size: NAMES_WIDTH, incrs: STEPS, values: (_: uPlot, values: number[]) => values.map((value) => humane(value * 1000)) }],
      series: [
        { label: "At", value: (_: uPlot, at: number | null) => (at === null ? "point at the drawing" : local(at * 1000)) },
        {
          label: "RPO indicator",
          stroke: () => colour("--accent"),
          width: 2,
          spanGaps: false,
          points: { show: (_, index) => series.known < 3 || index < 0 },
          // Without a point there is nothing to say; at a point without a value it is not known.
          value: (_, value: number | null, __, index: number | null) => (value !== null ? humane(value * 1000) : index === null ? "" : "not known"),
        },
      ],
    },
    [series.at, series.rpo],
    element,
  );
}

const HOUR_FORMAT = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY_FORMAT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** Hours; and the day where a new one begins. */
function axisTimes(splits: number[]): string[] {
  return splits.map((at, index) => {
    const [day, before] = [DAY_FORMAT.format(at * 1000), DAY_FORMAT.format((splits[index - 1] ?? at) * 1000)];
    return day === before ? HOUR_FORMAT.format(at * 1000) : day;
  });
}

function bands(plot: uPlot, series: Series, limit: number | undefined, warning: number | undefined) {
  const { ctx, bbox } = plot;
  const y = (value: number) => plot.valToPos(value, "y", true);
  const fill = (from: number, to: number, tone: string) => {
    ctx.fillStyle = colour(tone);
    ctx.fillRect(bbox.left, Math.min(y(from), y(to)), bbox.width, Math.abs(y(to) - y(from)));
  };
  ctx.save();
  const top = plot.scales.y?.max ?? 0;
  if (limit !== undefined) fill(limit, top, "--red-soft");
  if (limit !== undefined && warning !== undefined && warning < limit) fill(warning, limit, "--yellow-soft");
  gaps(plot, series);
  if (limit !== undefined) {
    ctx.strokeStyle = colour("--red");
    ctx.setLineDash([6, 4]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y(limit));
    ctx.lineTo(bbox.left + bbox.width, y(limit));
    ctx.stroke();
  }
  ctx.restore();
}

/** Hatched: nobody knows what was here. */
function gaps(plot: uPlot, series: Series) {
  const { ctx, bbox } = plot;
  ctx.strokeStyle = colour("--line");
  ctx.lineWidth = 1;
  for (let begin = 0; begin < series.at.length; begin += 1) {
    if (series.rpo[begin] !== null) continue;
    let end = begin;
    while (end + 1 < series.at.length && series.rpo[end + 1] === null) end += 1;
    const left = plot.valToPos(series.at[begin] ?? 0, "x", true);
    const right = plot.valToPos(series.at[Math.min(end + 1, series.at.length - 1)] ?? 0, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    for (let x = left - bbox.height; x < right; x += 8) {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
      ctx.stroke();
    }
    ctx.restore();
    begin = end;
  }
}
