import { PLAIN } from "./world.ts";

/** What a client sees of one call: enough to tell apart what policies do, nothing that differs from run to run. */
export interface Seen {
  /** 0 for none. */
  readonly status: number;
  /** curl's exit code. */
  readonly exit: number;
  /** `server` of the answer. */
  readonly server: string;
  /** The body of what is not 200, in which proxies explain themselves. */
  readonly body: string;
}

export interface Call {
  readonly name: string;
  /** Whose pod calls: that of the namespace under test, or one without a sidecar. */
  readonly from: "mesh" | "plain";
  /** curl's arguments; NS is the namespace under test. */
  readonly curl: string;
}

/** The calls whose results are recorded of a real Istio (GET, POST, without sidecar, TLS from outside), and further ports. */
export const CALLS: readonly Call[] = [
  { name: "GET", from: "mesh", curl: "http://web.NS:8080/hello" },
  { name: "POST", from: "mesh", curl: "-d x=1 http://web.NS:8080/hello" },
  { name: "GET second port", from: "mesh", curl: "http://web.NS:8090/hello" },
  { name: "GET over bytes", from: "mesh", curl: "http://web.NS:9000/hello" },
  { name: "GET with token", from: "mesh", curl: '-H "authorization: Bearer $TOKEN" http://web.NS:8080/hello' },
  { name: "GET with bad token", from: "mesh", curl: '-H "authorization: Bearer x.y" http://web.NS:8080/hello' },
  { name: "GET of a service without sidecar", from: "mesh", curl: `http://web.${PLAIN}:8080/hello` },
  { name: "without sidecar, GET", from: "plain", curl: "http://web.NS:8080/hello" },
  { name: "without sidecar, POST", from: "plain", curl: "-d x=1 http://web.NS:8080/hello" },
  { name: "without sidecar, GET second port", from: "plain", curl: "http://web.NS:8090/hello" },
  { name: "without sidecar, GET over bytes", from: "plain", curl: "http://web.NS:9000/hello" },
  { name: "without sidecar, TLS", from: "plain", curl: "-k https://web.NS:8080/hello" },
];

/** One script for all calls of one client, since starting a program in a pod costs more than the calls. */
export function scriptFor(calls: readonly Call[], namespace: string, token: string): string {
  const lines = calls.map(
    ({ curl }) =>
      `curl -s -m 5 -D /tmp/h -o /tmp/b ${curl.replaceAll("NS", namespace)}; code=$?; echo "== $code"; cat /tmp/h /tmp/b 2>/dev/null; rm -f /tmp/h /tmp/b; echo`,
  );
  return `TOKEN=${token}; ${lines.join("; ")}`;
}

export function parse(output: string): Seen[] {
  return output
    .split(/^== /m)
    .slice(1)
    .map((text) => {
      const newline = text.indexOf("\n");
      const exit = Number(text.slice(0, newline));
      const answer = text.slice(newline + 1);
      const end = answer.search(/\r?\n\r?\n/);
      const head = end < 0 ? "" : answer.slice(0, end);
      const status = Number(/^HTTP\/[\d.]+ (\d{3})/.exec(head)?.[1] ?? 0);
      const server = /^server: (.*?)\r?$/im.exec(head)?.[1] ?? "";
      // What the application says is its own business.
      return { status, exit, server, body: status === 0 || status === 200 ? "" : answer.slice(end).trim() };
    });
}
