import { ChainmailError } from "../../base/index.ts";

/** When a CronJob runs: minutes, hours, days of the month, months, days of the week, in a time zone. */
export interface CronSchedule {
  /** The first time after `after` (milliseconds), or undefined if there is none within four years. */
  next(after: number): number | undefined;
}

const MACROS: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const DAYS = "sun mon tue wed thu fri sat".split(" ");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** 29 February comes within it. */
const HORIZON = 4 * 366 * 24 * HOUR;

/** Reads cron's notation, https://en.wikipedia.org/wiki/Cron; `timeZone` is an IANA name, UTC by default. Throws INVALID_SCHEDULE. */
export function parseSchedule(text: string, timeZone = "UTC"): CronSchedule {
  const fields = (MACROS[text.trim().toLowerCase()] ?? text.trim()).split(/\s+/);
  if (fields.length !== 5) throw invalid(text, `it has ${fields.length} fields instead of 5`);
  const [minutes = "", hours = "", daysOfMonth = "", months = "", daysOfWeek = ""] = fields;
  const minute = field(text, minutes, 0, 59);
  const hour = field(text, hours, 0, 23);
  const day = field(text, daysOfMonth, 1, 31);
  const month = field(text, months, 1, 12, MONTHS);
  const weekday = field(text, daysOfWeek, 0, 7, DAYS);
  if (weekday.has(7)) weekday.add(0);
  // Where both kinds of day are restricted, either is enough.
  const either = !daysOfMonth.startsWith("*") && !daysOfWeek.startsWith("*");
  const local = localTime(text, timeZone);
  return {
    next(after) {
      const end = after + HORIZON;
      for (let at = Math.floor(after / MINUTE) * MINUTE + MINUTE; at <= end;) {
        const now = local(at);
        const inDay = either ? day.has(now.day) || weekday.has(now.weekday) : day.has(now.day) && weekday.has(now.weekday);
        if (!month.has(now.month) || !inDay) at += Math.max(HOUR - now.minute * MINUTE, MINUTE);
        else if (!hour.has(now.hour)) at += HOUR - now.minute * MINUTE;
        else if (!minute.has(now.minute)) at += MINUTE;
        else return at;
      }
      return undefined;
    },
  };
}

interface LocalTime {
  minute: number;
  hour: number;
  day: number;
  month: number;
  weekday: number;
}

function localTime(text: string, timeZone: string): (at: number) => LocalTime {
  if (timeZone === "UTC" || timeZone === "Etc/UTC") {
    return (at) => {
      const date = new Date(at);
      return { minute: date.getUTCMinutes(), hour: date.getUTCHours(), day: date.getUTCDate(), month: date.getUTCMonth() + 1, weekday: date.getUTCDay() };
    };
  }
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      minute: "numeric",
      hour: "numeric",
      day: "numeric",
      month: "numeric",
      weekday: "short",
    });
  } catch {
    throw invalid(text, `there is no time zone ${timeZone}`);
  }
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
    const number = (name: string) => Number(parts[name] ?? 0);
    return {
      minute: number("minute"),
      hour: number("hour"),
      day: number("day"),
      month: number("month"),
      weekday: DAYS.indexOf((parts["weekday"] ?? "").toLowerCase()),
    };
  };
}

/** `*`, `5`, `1-5`, `mon-fri`, each with `/step`, in a comma-separated list. */
function field(text: string, part: string, min: number, max: number, names: string[] = []): Set<number> {
  const values = new Set<number>();
  const numberOf = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    const value = named >= 0 ? named + (names === MONTHS ? 1 : 0) : /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!(value >= min && value <= max)) throw invalid(text, `"${part}" is not within ${min}–${max}`);
    return value;
  };
  for (const item of part.split(",")) {
    const [range = "", stepText, ...more] = item.split("/");
    const step = stepText === undefined ? 1 : Number(stepText);
    if (more.length > 0 || !Number.isInteger(step) || step < 1) throw invalid(text, `"${item}" is no range with a step`);
    const [low = "", high] = range === "*" || range === "?" ? [String(min), String(max)] : range.split("-");
    const from = numberOf(low);
    const to = high !== undefined ? numberOf(high) : stepText === undefined ? from : max;
    if (to < from) throw invalid(text, `"${range}" ends before it begins`);
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return values;
}

function invalid(text: string, why: string): ChainmailError {
  return new ChainmailError("INVALID_SCHEDULE", `the schedule "${text}" cannot be read: ${why}`);
}
