import type { StatLine } from "../telemetry/stat-line.ts";

/** One number of a Prometheus text. */
interface Sample {
  readonly name: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly value: string;
  readonly kind: string;
}

/** The label that Envoy takes out of a dotted name, by the group that the name begins with. */
const GROUP_LABELS: Record<string, string[]> = {
  cluster: ["cluster_name", "envoy_cluster_name"],
  http: ["http_conn_manager_prefix", "envoy_http_conn_manager_prefix"],
  listener: ["listener_address", "envoy_listener_address"],
  tcp: ["tcp_prefix", "envoy_tcp_prefix"],
};

/** Groups of several words whose names carry no label. */
const PLAIN_GROUPS = ["cluster_manager", "listener_manager", "server", "control_plane"];

/**
 * The dotted names of Envoy's /stats from Prometheus samples: the tag goes back to where it was taken from, other labels
 * follow as name and value. Histograms show their count and sum.
 */
export function statLines(prometheus: string): StatLine[] {
  return [...samples(prometheus)]
    .filter(({ name, kind }) => kind !== "histogram" || !name.endsWith("_bucket"))
    .map((sample) => ({ name: dotted(sample), value: sample.value, kind: sample.kind }));
}

function dotted({ name, labels }: Sample): string {
  const bare = name.startsWith("envoy_") ? name.slice("envoy_".length) : name;
  const plain = labels.length === 0 && PLAIN_GROUPS.find((known) => bare.startsWith(`${known}_`));
  if (plain) return `${plain}.${bare.slice(plain.length + 1)}`;
  const group = bare.slice(0, Math.max(0, bare.indexOf("_")));
  const tags = GROUP_LABELS[group];
  const tag = tags && labels.find(([label]) => tags.includes(label));
  const rest = labels.filter((label) => label !== tag).flatMap(([label, value]) => [label, value]);
  const base = tag ? [group, tag[1], bare.slice(group.length + 1)] : [bare];
  return [...base, ...rest].join(".");
}

function* samples(text: string): Iterable<Sample> {
  let kind = "";
  let family = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# TYPE ")) {
      [, , family = "", kind = ""] = line.split(" ");
      continue;
    }
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match?.[1] || match[3] === undefined) continue;
    const labels = [...(match[2] ?? "").matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, name = "", value = ""]) => [name, value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c))] as const,
    );
    yield { name: match[1], labels, value: match[3], kind: match[1].startsWith(family) ? kind : "" };
  }
}

/** Keeps the families of a Prometheus text whose samples pass; a family without samples loses its TYPE line. */
export function filterPrometheus(text: string, keep: (sample: string, value: string) => boolean): string {
  let out = "";
  let type = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# ")) {
      type = `${line}\n`;
      continue;
    }
    const blank = line.lastIndexOf(" ");
    if (blank < 0 || !keep(line.slice(0, blank), line.slice(blank + 1))) continue;
    out += `${type}${line}\n`;
    type = "";
  }
  return out;
}
