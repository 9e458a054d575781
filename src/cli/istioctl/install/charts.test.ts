import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadAll } from "js-yaml";
import type { KubeObject } from "../../../resources/types.ts";
import { helmCharts } from "./charts.ts";
import { componentSets } from "./components.ts";
import { readSettings } from "./settings.ts";

const helm = process.env["CHAINMAIL_HELM"] ?? Bun.which("helm");
const charts = helmCharts();
/** helm reads half a megabyte of definitions, on machines that do other things too. */
const PATIENCE_MS = 60_000;

test("four charts under Istio's names, and no placeholder is left in them", () => {
  expect([...new Set([...charts.keys()].map((path) => path.split("/")[0]))]).toEqual(["base", "istiod", "gateway", "addons"]);
  for (const [path, text] of charts)
    expect([path, /X[A-Z]+X|xnamespacex|xrevisionx|xtrustdomainx|xclusterdomainx|7654321/.exec(text)?.[0]]).toEqual([path, undefined]);
});

describe.skipIf(!helm)(helm ? "what helm makes of them" : "what helm makes of them (no helm on the path, nor in CHAINMAIL_HELM)", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "chainmail-charts-"));
    for (const [path, text] of charts) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const rendered = (chart: string, release: string, namespace: string, sets: readonly string[] = []): KubeObject[] => {
    const { stdout, stderr, exitCode } = Bun.spawnSync([
      helm ?? "",
      "template",
      release,
      join(folder, chart),
      "-n",
      namespace,
      ...sets.flatMap((set) => ["--set", set]),
    ]);
    expect([stderr.toString(), exitCode]).toEqual(["", 0]);
    return (loadAll(stdout.toString()) as (KubeObject | null)[]).filter((object) => object !== null);
  };
  const installed = (names: readonly string[], spec: object = {}): KubeObject[] =>
    componentSets(readSettings({ spec } as never))
      .filter(({ name }) => names.includes(name))
      .flatMap(({ objects }) => objects);

  test(
    "without values the objects that istioctl install applies",
    () => {
      expect(
        comparable([
          ...rendered("base", "base", "istio-system"),
          ...rendered("istiod", "istiod", "istio-system"),
          ...rendered("gateway", "istio-ingressgateway", "istio-system"),
          ...rendered("addons", "addons", "istio-system"),
        ]),
      ).toEqual(comparable(installed(["Base", "Pilot", "IngressGateways", "Kiali", "Prometheus"])));
    },
    PATIENCE_MS,
  );

  test(
    "with values what the same settings make of an installation",
    () => {
      const sets = [
        "global.hub=r.example.com/mesh",
        "global.tag=9.9.9",
        "revision=canary",
        "replicaCount=3",
        "meshConfig.trustDomain=td.example",
        "meshConfig.defaultConfig.concurrency=4",
        "global.proxy.logLevel=debug",
        "sidecarInjectorWebhook.templates.own=spec: {}",
      ];
      const values = { global: { proxy: { logLevel: "debug" } }, sidecarInjectorWebhook: { templates: { own: "spec: {}" } } };
      const spec = {
        hub: "r.example.com/mesh",
        tag: "9.9.9",
        revision: "canary",
        components: { pilot: { k8s: { replicaCount: 3 } } },
        meshConfig: { trustDomain: "td.example", defaultConfig: { concurrency: 4 } },
        values,
      };
      expect(comparable(rendered("istiod", "istiod", "istio-system", sets))).toEqual(comparable(installed(["Pilot"], spec)));
    },
    PATIENCE_MS,
  );

  test(
    "a gateway has its release's name, and a Service as its user wants it",
    () => {
      const objects = rendered("gateway", "istio-egress", "shop", [
        "service.type=ClusterIP",
        "service.annotations.a=b",
        "labels.team=x",
        "service.ports[0].name=http2",
        "service.ports[0].port=80",
        "service.ports[0].targetPort=8080",
      ]);
      const service = objects.find(({ kind }) => kind === "Service");
      expect(service).toMatchObject({
        metadata: { name: "istio-egress", namespace: "shop", annotations: { a: "b" }, labels: { team: "x", istio: "egress" } },
        spec: { type: "ClusterIP", ports: [{ name: "http2", port: 80, targetPort: 8080 }], selector: { istio: "egress" } },
      });
      expect(objects.find(({ kind }) => kind === "Deployment")).toMatchObject({
        metadata: { name: "istio-egress" },
        spec: { template: { metadata: { labels: { istio: "egress" } } } },
      });
    },
    PATIENCE_MS,
  );
});

/** Objects by kind and name; texts of ConfigMaps as what they say; without Helm's own mark on definitions. */
function comparable(objects: readonly KubeObject[]): Record<string, unknown> {
  const entries = objects.map((object) => {
    const { annotations, ...metadata } = object.metadata;
    const { "helm.sh/resource-policy": _, ...kept } = annotations ?? {};
    const data =
      object.kind === "ConfigMap"
        ? { data: Object.fromEntries(Object.entries(object.data as Record<string, string>).map(([key, text]) => [key, loadAll(text)])) }
        : {};
    return [
      `${object.kind}/${metadata.name}`,
      { ...object, metadata: { ...metadata, ...(Object.keys(kept).length > 0 && { annotations: kept }) }, ...data },
    ] as const;
  });
  return JSON.parse(JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))))) as Record<string, unknown>;
}
