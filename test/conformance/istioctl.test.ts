import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { EnvoyCluster, type Result } from "./cluster.ts";
import { findIstio } from "./istio-programs.ts";
import { LINES } from "./istioctl-lines.ts";
import { comparable } from "./istioctl-text.ts";

const { path: REAL = "", reason } = findIstio("istioctl");
const OURS = join(import.meta.dir, "../../bin/istioctl");
const DATA = join(import.meta.dir, "../golden/analyze");
/** Two programs a line, and two lines at a time, keep a small machine busy enough. */
const AT_A_TIME = 2;

describe.skipIf(reason !== undefined)(`the real istioctl and ours on a mesh of ours${reason ? ` (skipped: ${reason})` : ""}`, () => {
  let cluster: EnvoyCluster;
  const names: Record<string, string> = { DATA, MISTYPED: join(import.meta.dir, "testdata/mistyped.yaml"), PODS: join(import.meta.dir, "testdata/pods.yaml") };

  beforeAll(async () => {
    cluster = await EnvoyCluster.start("istioctl", "");
    await cluster.chainmail("lab --no-shell");
    await cluster.must("kubectl apply -f -", await Bun.file(join(import.meta.dir, "testdata/istioctl-world.yaml")).text());
    const podOf = async (app: string, namespace: string): Promise<string> =>
      (await cluster.must(`kubectl get pod -n ${namespace} -l ${app} -o jsonpath='{.items[0].metadata.name}'`)).trim();
    names.WEB_POD = await podOf("app=web-api", "istioinaction");
    names.RECOMMENDATION_POD = await podOf("app=recommendation", "istioinaction");
    names.GATEWAY_POD = await podOf("istio=ingressgateway", "istio-system");
  }, 120_000);
  afterAll(() => cluster?.stop(), 60_000);

  for (const { name, lines } of LINES) {
    test(
      name,
      async () => {
        // Log levels are read back: one line after the other.
        const width = name.includes("log levels") ? 1 : AT_A_TIME;
        const differing: string[] = [];
        for (let start = 0; start < lines.length; start += width) {
          const found = await Promise.all(lines.slice(start, start + width).map(difference));
          differing.push(...found.filter((one) => one !== undefined));
        }
        expect(differing.join("\n")).toBe("");
      },
      300_000,
    );
  }

  test("a tag that one has set the other lists, and removes", async () => {
    for (const [setter, remover] of [
      [OURS, REAL],
      [REAL, OURS],
    ] as const) {
      await cluster.must(`${setter} tag set prod --revision default`);
      await cluster.must("kubectl label namespace default istio.io/rev=prod");
      expect(await difference("tag list")).toBeUndefined();
      expect(await difference("tag list -o json")).toBeUndefined();
      expect(await difference("x check-inject -n default -l app=x")).toBeUndefined();
      expect(await difference("tag set prod --revision default")).toBeUndefined();
      await cluster.must(`${remover} tag remove prod -y`);
      await cluster.must("kubectl label namespace default istio.io/rev-");
      expect(await cluster.must("kubectl get mutatingwebhookconfiguration -o name")).not.toContain("prod");
    }
  }, 120_000);

  /** What the two print differently; undefined where they agree. */
  async function difference(line: string): Promise<string | undefined> {
    const run = async (program: string): Promise<Result> => {
      const { stdout, stderr, exitCode } = await cluster.sh(`timeout 60 ${program} ${line.replace(/\$(\w+)/g, (whole, name: string) => names[name] ?? whole)}`);
      return { stdout: comparable(stdout, program), stderr: comparable(stderr, program), exitCode };
    };
    const [real, ours] = await Promise.all([run(REAL), run(OURS)]);
    if (Bun.deepEquals(real, ours)) return undefined;
    const parts = (["stdout", "stderr", "exitCode"] as const).filter((part) => real[part] !== ours[part]);
    return `istioctl ${line}\n${parts.map((part) => `  ${part}, real:\n${String(real[part])}\n  ${part}, ours:\n${String(ours[part])}`).join("\n")}\n`;
  }
});
