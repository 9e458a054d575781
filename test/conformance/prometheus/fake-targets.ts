/** One target: what it says when it is asked, by the seconds since the start. */
interface FakeTarget {
  host: string;
  stop(): void;
}

/** How many times a second the steady counter counts. */
const RATE = 50;

/** Targets that do what real ones do: restart, vanish, fail, forget series, say when they measured. */
export class FakeTargets {
  readonly all: FakeTarget[];
  #started = Date.now();

  constructor() {
    const says: ((seconds: number) => string | undefined)[] = [steady, restarting, missing, vanishing];
    this.all = says.map((say) => {
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () => {
          const text = say((Date.now() - this.#started) / 1000);
          return text === undefined ? new Response("", { status: 503 }) : new Response(text, { headers: { "content-type": "text/plain; version=0.0.4" } });
        },
      });
      return { host: `127.0.0.1:${server.port}`, stop: () => void server.stop(true) };
    });
  }

  /** The seconds count from now. */
  start(): void {
    this.#started = Date.now();
  }

  stop(): void {
    for (const target of this.all) target.stop();
  }
}

function steady(seconds: number): string {
  const n = Math.floor(seconds * RATE);
  const buckets = [0.25, 0.5, 1].map((le, i) => `even_bucket{le="${le}"} ${Math.floor((n * (i + 1)) / 4)}`).join("\n");
  return [
    "# HELP steady_total Counts.",
    "# TYPE steady_total counter",
    `steady_total ${n}`,
    "# HELP idle_total Does not.",
    "# TYPE idle_total counter",
    "idle_total 7",
    "# HELP even A histogram.",
    "# TYPE even histogram",
    buckets,
    `even_bucket{le="+Inf"} ${n}`,
    `even_sum ${n / 2}`,
    `even_count ${n}`,
    `exported_job_gauge{job="mine",instance="other"} 1`,
    'text_gauge{path="/a b",quoted="say \\"hi\\"\\n",empty=""} 1',
    'weird_gauge{kind="nan"} NaN',
    'weird_gauge{kind="inf"} +Inf',
    'weird_gauge{kind="exponent"} 1.5e-9',
    "",
  ].join("\n");
}

/** Starts anew each twenty seconds. */
function restarting(seconds: number): string {
  return `# TYPE restarting_total counter\nrestarting_total ${Math.floor((seconds % 20) * RATE)}\nidle_total 3\n`;
}

/** Does not answer every tenth second for one. */
function missing(seconds: number): string | undefined {
  return Math.floor(seconds) % 10 === 5
    ? undefined
    : `# TYPE missing_total counter\nmissing_total ${Math.floor(seconds * RATE)}\nmissing_gauge 4\nidle_total 1\n`;
}

/** Forgets one series after half a minute, another for ten seconds; one was measured when the start was. */
function vanishing(seconds: number): string {
  return `${seconds < 30 ? "gone_gauge 5\nended_total 3\n" : ""}${seconds < 20 || seconds > 30 ? "vanishing_gauge 2\n" : ""}stamped_gauge 9 ${1_000 * Math.floor(Date.now() / 60_000) * 60}\n`;
}
