/**
 * install turns a mesh on in a cluster and off again: `istioctl install`, `upgrade`, `uninstall` and `manifest generate`.
 * It reads Istio's IstioOperator files and `--set` paths, and refuses what Chainmail has no place for instead of leaving it out.
 * What is installed comes from the control plane's install room, the console and the metrics store; applying is done here.
 */
export { componentSets, type ComponentName, type ComponentSet } from "./components.ts";
export { mergeInputs, setPath, type OperatorTree } from "./operator.ts";
export { readSettings, type InstallSettings } from "./settings.ts";
