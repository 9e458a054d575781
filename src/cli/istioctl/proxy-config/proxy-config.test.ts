import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { allTables } from "./all.ts";
import { clusterTable, selectClusters } from "./clusters.ts";
import { parseDump, parseObject, section } from "./dump.ts";
import { endpointTable, selectClusterStatuses } from "./endpoints.ts";
import { listenerTable, selectListeners } from "./listeners.ts";
import { printMessage, printMessages, printRaw } from "./messages.ts";
import { routeTable, selectRoutes } from "./routes.ts";
import { secretTable } from "./secrets.ts";

const folder = `${import.meta.dir}/../../../../test/golden`;
const read = (path: string): string =>
  existsSync(`${folder}/${path}.gz`)
    ? Buffer.from(Bun.gunzipSync(readFileSync(`${folder}/${path}.gz`))).toString("utf8")
    : readFileSync(`${folder}/${path}`, "utf8");
/** The rig's certificates were valid when the outputs were recorded. */
const NOW = Date.parse("2026-11-24T06:00:00Z");

describe_each("permissive");
describe_each("strict");

function describe_each(mode: string): void {
  const dump = parseDump(read(`envoy/${mode}-config_dump.json`));
  const clusters = parseObject(read(`envoy/${mode}-clusters.json`));
  const golden = (name: string): string => read(`istioctl/${mode}/${name}`);

  test(`${mode}: tables`, () => {
    expect(clusterTable(dump, {})).toBe(golden("cluster.txt"));
    expect(listenerTable(dump, {}, { verbose: true })).toBe(golden("listener.txt"));
    expect(listenerTable(dump, {}, { verbose: false })).toBe(golden("listener-noverbose.txt"));
    expect(listenerTable(dump, { port: 15006 }, { verbose: true })).toBe(golden("listener-port15006.txt"));
    expect(routeTable(dump, undefined, { verbose: true })).toBe(golden("route.txt"));
    expect(endpointTable(clusters, {})).toBe(golden("endpoint.txt"));
    expect(endpointTable(clusters, { cluster: "outbound|8080||recommendation.istioinaction.svc.cluster.local" })).toBe(golden("endpoint-recommendation.txt"));
    expect(secretTable(dump, NOW)).toBe(golden("secret.txt"));
    expect(allTables(dump, { clusters: {}, listeners: {}, route: undefined, endpoints: {} }, { verbose: true, headers: false, now: NOW })).toBe(
      golden("all.txt"),
    );
  });

  test.each(["json", "yaml"] as const)(`${mode}: -o %s`, async (format) => {
    const same = async (name: string, printed: Promise<string>): Promise<void> => {
      if (!existsSync(`${folder}/istioctl/${mode}/${name}.${format}.gz`)) return;
      const [ours, theirs] = [(await printed).split("\n"), golden(`${name}.${format}`).split("\n")];
      const at = theirs.findIndex((line, index) => line !== ours[index]);
      expect({ name, at, ours: at < 0 ? [] : ours.slice(at - 2, at + 2), theirs: at < 0 ? [] : theirs.slice(at - 2, at + 2) }).toEqual({
        name,
        at: -1,
        ours: [],
        theirs: [],
      });
      expect(ours.length).toBe(theirs.length);
    };
    await same("secret", printMessage("envoy.admin.v3.SecretsConfigDump", section(dump, "SecretsConfigDump"), format));
    await same("cluster", printMessages("envoy.config.cluster.v3.Cluster", selectClusters(dump, {}), format));
    await same(
      "cluster-recommendation",
      printMessages("envoy.config.cluster.v3.Cluster", selectClusters(dump, { fqdn: "recommendation.istioinaction.svc.cluster.local" }), format),
    );
    await same("listener", printMessages("envoy.config.listener.v3.Listener", selectListeners(dump, {}), format));
    await same("listener-port15006", printMessages("envoy.config.listener.v3.Listener", selectListeners(dump, { port: 15006 }), format));
    await same("route", printMessages("envoy.config.route.v3.RouteConfiguration", selectRoutes(dump, undefined), format));
    await same("route-8080", printMessages("envoy.config.route.v3.RouteConfiguration", selectRoutes(dump, "8080"), format));
    await same("endpoint", printMessages("envoy.admin.v3.ClusterStatus", selectClusterStatuses(clusters, {}), format));
    await same("bootstrap", printMessage("envoy.admin.v3.BootstrapConfigDump", section(dump, "BootstrapConfigDump"), format));
    if (format === "yaml") await same("all", Promise.resolve(printRaw(dump.text, "yaml")));
  });
}
