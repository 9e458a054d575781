import type { StreamInfo } from "./stream-info.ts";

/** The formats of `%START_TIME%` and its kind: strftime with fractions of seconds. Without one, ISO 8601 with milliseconds. */
export function formatTime(format: string | undefined, at: (info: StreamInfo) => number, local = false): (info: StreamInfo) => string {
  if (format === undefined || format === "") {
    if (!local) return (info) => new Date(at(info)).toISOString();
    return (info) => `${shifted(at(info)).toISOString().slice(0, -1)}${zone(at(info))}`;
  }
  const parts = format.split(DIRECTIVE);
  // Text and directives take turns.
  const writers = parts.map((part, index) => (index % 2 === 1 ? directive(part, local) : () => part));
  return (info) => {
    const ms = at(info);
    const date = local ? shifted(ms) : new Date(ms);
    let text = "";
    for (const write of writers) text += write(date, ms);
    return text;
  };
}

type Write = (date: Date, ms: number) => string;

/** `%3f`, `%E6S`, `%Ez` and the plain ones. */
const DIRECTIVE = /(%(?:[1-9]?f|E(?:[1-9*]?[Sf]|[Tz]|4Y)|[A-Za-z%]))/;

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const pad = (value: number, width = 2, filler = "0"): string => String(value).padStart(width, filler);
const twelve = (date: Date): number => date.getUTCHours() % 12 || 12;
const clock = (date: Date): string => `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
const day = (date: Date): string => `${pad(date.getUTCMonth() + 1)}/${pad(date.getUTCDate())}/${pad(date.getUTCFullYear() % 100)}`;
const dayOfYear = (date: Date): number => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;

/** Nine digits, of which a millisecond clock with fractions knows six. */
function fraction(ms: number, digits: number): string {
  return pad(Math.floor((ms - Math.floor(ms / 1000) * 1000) * 1000), 6)
    .padEnd(9, "0")
    .slice(0, digits);
}

function directive(whole: string, local: boolean): Write {
  const fine = /^%([1-9]?)f$/.exec(whole);
  if (fine) return (_date, ms) => fraction(ms, fine[1] ? Number(fine[1]) : 9);
  const extended = /^%E([1-9*]?)([Sf])$/.exec(whole);
  if (extended) {
    const [, width = "", letter] = extended;
    // A star takes all that there is, without zeros at the end.
    const digits = (ms: number): string => (width === "*" || width === "" ? fraction(ms, 9).replace(/0+$/, "") : fraction(ms, Number(width)));
    if (letter === "f") return (_date, ms) => digits(ms) || "0";
    return (date, ms) => {
      const after = digits(ms);
      return `${pad(date.getUTCSeconds())}${after === "" ? "" : `.${after}`}`;
    };
  }
  if (whole === "%Ez") return (_date, ms) => (local ? zone(ms).replace(/(..)$/, ":$1") : "+00:00");
  // The letter of RFC 3339.
  if (whole === "%ET") return () => "T";
  if (whole === "%E4Y") return (date) => pad(date.getUTCFullYear(), 4);
  const known = PLAIN[whole.slice(1)];
  if (known) return known;
  switch (whole) {
    case "%Z":
      return (_date, ms) => (local ? zone(ms) : "UTC");
    case "%z":
      return (_date, ms) => (local ? zone(ms) : "+0000");
  }
  return () => whole;
}

const PLAIN: Readonly<Record<string, Write | undefined>> = {
  "%": () => "%",
  a: (date) => (DAYS[date.getUTCDay()] as string).slice(0, 3),
  A: (date) => DAYS[date.getUTCDay()] as string,
  b: (date) => (MONTHS[date.getUTCMonth()] as string).slice(0, 3),
  B: (date) => MONTHS[date.getUTCMonth()] as string,
  c: (date) =>
    `${(DAYS[date.getUTCDay()] as string).slice(0, 3)} ${(MONTHS[date.getUTCMonth()] as string).slice(0, 3)} ${pad(date.getUTCDate(), 2, " ")} ${clock(date)} ${date.getUTCFullYear()}`,
  C: (date) => pad(Math.floor(date.getUTCFullYear() / 100)),
  d: (date) => pad(date.getUTCDate()),
  D: day,
  e: (date) => pad(date.getUTCDate(), 2, " "),
  F: (date) => date.toISOString().slice(0, 10),
  g: (date) => pad(isoWeek(date).year % 100),
  G: (date) => String(isoWeek(date).year),
  h: (date) => (MONTHS[date.getUTCMonth()] as string).slice(0, 3),
  H: (date) => pad(date.getUTCHours()),
  I: (date) => pad(twelve(date)),
  j: (date) => pad(dayOfYear(date), 3),
  k: (date) => pad(date.getUTCHours(), 2, " "),
  l: (date) => pad(twelve(date), 2, " "),
  m: (date) => pad(date.getUTCMonth() + 1),
  M: (date) => pad(date.getUTCMinutes()),
  n: () => "\n",
  p: (date) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  P: (date) => (date.getUTCHours() < 12 ? "am" : "pm"),
  r: (date) => `${pad(twelve(date))}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())} ${date.getUTCHours() < 12 ? "AM" : "PM"}`,
  R: (date) => `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}`,
  s: (_date, ms) => String(Math.floor(ms / 1000)),
  S: (date) => pad(date.getUTCSeconds()),
  t: () => "\t",
  T: clock,
  u: (date) => String(date.getUTCDay() || 7),
  // Weeks from the first Sunday of the year, by ISO 8601, and from the first Monday.
  U: (date) => pad(Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7)),
  V: (date) => pad(isoWeek(date).week),
  W: (date) => pad(Math.floor((dayOfYear(date) + 6 - ((date.getUTCDay() + 6) % 7)) / 7)),
  w: (date) => String(date.getUTCDay()),
  x: day,
  X: clock,
  y: (date) => pad(date.getUTCFullYear() % 100),
  Y: (date) => String(date.getUTCFullYear()),
};

/** The year and week of ISO 8601: those of the Thursday of the same week. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * 86_400_000);
  return { year: thursday.getUTCFullYear(), week: Math.ceil(dayOfYear(thursday) / 7) };
}

/** The machine's own wall clock, read off as if it were UTC. */
function shifted(ms: number): Date {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
}

/** As in `+0200`. */
function zone(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(Math.abs(minutes) / 60))}${pad(Math.abs(minutes) % 60)}`;
}
