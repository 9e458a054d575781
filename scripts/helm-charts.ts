/**
 * Writes Helm charts of a mesh on Kubernetes under Istio's names: base, istiod, gateway, addons. They are made from the
 * objects that `istioctl install` applies.
 *
 *   bun scripts/helm-charts.ts FOLDER
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { helmCharts } from "../src/cli/istioctl/install/charts.ts";

const [target] = process.argv.slice(2);
if (target === undefined) {
  console.error("usage: bun scripts/helm-charts.ts FOLDER");
  process.exit(1);
}
for (const [path, text] of helmCharts()) {
  const file = join(target, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
console.log(`charts: ${target}`);
