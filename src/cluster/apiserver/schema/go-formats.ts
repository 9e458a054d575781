/** Texts that stand for other types, and what Go says of those that do not. */

/** What is wrong with a text as base64; undefined when nothing is. */
export function base64Problem(text: string): string | undefined {
  const at = /[^A-Za-z0-9+/\r\n]/.exec(text)?.index ?? text.length;
  const padding = /^=*/.exec(text.slice(at).replaceAll(/[\r\n]/g, ""))?.[0].length ?? 0;
  const digits = text.slice(0, at).replaceAll(/[\r\n]/g, "").length;
  const rest = text.slice(at).replaceAll(/[=\r\n]/g, "");
  const wanted = digits % 4 === 0 ? 0 : 4 - (digits % 4);
  if (rest === "" && digits % 4 !== 1 && padding === wanted) return undefined;
  return `illegal base64 data at input byte ${rest === "" && padding < wanted ? Math.max(0, digits - (digits % 4)) : at}`;
}

const LAYOUT = "2006-01-02T15:04:05Z07:00";
const PARTS: readonly [RegExp, string][] = [
  [/^\d{4}/, "2006"],
  [/^-/, "-"],
  [/^\d\d/, "01"],
  [/^-/, "-"],
  [/^\d\d/, "02"],
  [/^T/, "T"],
  [/^\d\d/, "15"],
  [/^:/, ":"],
  [/^\d\d/, "04"],
  [/^:/, ":"],
  [/^\d\d([.,]\d+)?/, "05"],
  [/^(Z|[+-]\d\d:\d\d)/, "Z07:00"],
];

/** As the server itself writes times, and so nearly all that come. */
const PLAIN_TIME =
  /^\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** What is wrong with a text as a time of RFC 3339; undefined when nothing is. */
export function timeProblem(text: string): string | undefined {
  if (PLAIN_TIME.test(text)) return undefined;
  let rest = text;
  const fail = (why: string) => `parsing time ${JSON.stringify(text)} as ${JSON.stringify(LAYOUT)}: ${why}`;
  for (const [pattern, part] of PARTS) {
    const found = pattern.exec(rest);
    if (!found) return fail(`cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(part)}`);
    rest = rest.slice(found[0].length);
  }
  if (rest !== "") return `parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest)}`;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = text.split(/[-T:Z+.,]/).map(Number);
  const outOfRange = (what: string) => `parsing time ${JSON.stringify(text)}: ${what} out of range`;
  if (month < 1 || month > 12) return outOfRange("month");
  if (day < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return outOfRange("day");
  if (hour > 23) return outOfRange("hour");
  if (minute > 59) return outOfRange("minute");
  return second > 59 ? outOfRange("second") : undefined;
}
