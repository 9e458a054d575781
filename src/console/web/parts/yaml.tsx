/** An object as people write it; keys in the order they came. */
export function toYaml(value: unknown, indent = 0): string {
  const pad = " ".repeat(indent);
  if (Array.isArray(value)) {
    if (value.length === 0) return `${pad}[]\n`;
    return value.map((item) => (isBranch(item) ? `${pad}- ${toYaml(item, indent + 2).slice(indent + 2)}` : `${pad}- ${scalar(item)}\n`)).join("");
  }
  if (typeof value !== "object" || value === null) return `${pad}${scalar(value)}\n`;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  if (entries.length === 0) return `${pad}{}\n`;
  return entries
    .map(([key, field]) => {
      if (typeof field === "string" && field.includes("\n"))
        return `${pad}${word(key)}: |${field.endsWith("\n") ? "" : "-"}\n${field
          .replace(/\n$/, "")
          .split("\n")
          .map((line) => (line ? `${pad}  ${line}` : ""))
          .join("\n")}\n`;
      if (!isBranch(field)) return `${pad}${word(key)}: ${Array.isArray(field) ? "[]" : typeof field === "object" && field !== null ? "{}" : scalar(field)}\n`;
      return `${pad}${word(key)}:\n${toYaml(field, Array.isArray(field) ? indent : indent + 2)}`;
    })
    .join("");
}

interface YamlProps {
  text: string;
  /** Lines to mark, by number from 1, with what is wrong there. */
  marks?: ReadonlyMap<number, { severity: string; message: string }>;
}

/** YAML to read: keys stand out, marked lines carry their reason. */
export function Yaml({ text, marks }: YamlProps) {
  return (
    <pre className="yaml" tabIndex={0} aria-label="YAML">
      {text
        .replace(/\n$/, "")
        .split("\n")
        .map((line, i) => {
          const mark = marks?.get(i + 1);
          const [, lead = "", key = "", rest = ""] = /^(\s*(?:- )?)([^\s:#][^:]*:)?(.*)$/s.exec(line) ?? [];
          return (
            <span key={i} className={mark ? `yaml-line yaml-${mark.severity}` : "yaml-line"} title={mark?.message}>
              <span className="yaml-number" aria-hidden="true">
                {i + 1}
              </span>
              <code>
                {lead}
                <span className="yaml-key">{key}</span>
                {rest}
              </code>
              {mark && <span className="yaml-note">{mark.message}</span>}
            </span>
          );
        })}
    </pre>
  );
}

/** The line of each path in a text that `toYaml` made, by paths such as `spec/http[0]/route[0]/destination/host`. */
export function lineOf(text: string, path: string): number | undefined {
  const lines = text.split("\n");
  let [from, depth] = [0, 0];
  for (const part of path.split("/")) {
    const [, key = "", index] = /^([^[]+)(?:\[(\d+)\])?$/.exec(part) ?? [];
    const at = lines.findIndex(
      (line, i) => i >= from && new RegExp(`^ {${depth}}(?:- )?${escapeText(key)}:|^ {${Math.max(depth - 2, 0)}}- ${escapeText(key)}:`).test(line),
    );
    if (at < 0) return from > 0 ? from : undefined;
    from = at + 1;
    if (index === undefined) depth += 2;
    else {
      let left = Number(index);
      const item = lines.findIndex((line, i) => i > at && new RegExp(`^ {${depth}}- `).test(line) && left-- === 0);
      if (item < 0) return from;
      // The first key of an item stands on the line of its dash.
      from = item;
      depth += 2;
    }
  }
  return Math.max(from, 1);
}

function isBranch(value: unknown): boolean {
  return typeof value === "object" && value !== null && (Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0);
}

function word(key: string): string {
  return /^[A-Za-z_][\w./-]*$/.test(key) ? key : JSON.stringify(key);
}

/** Quoted wherever YAML would read something else, or a colon or hash could. */
function scalar(value: unknown): string {
  if (typeof value !== "string") return value === null || value === undefined ? "null" : String(value);
  const plain = /^[A-Za-z_/.][\w./ -]*$/.test(value) && !/^(?:true|false|null|yes|no|on|off|~)$/i.test(value) && !value.endsWith(" ");
  return plain ? value : JSON.stringify(value);
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
