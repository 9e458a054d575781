import { writeFileSync } from "node:fs";
import { ChainmailError, errorText, VERSION } from "../../../base/index.ts";
import { confirm } from "../confirm.ts";
import { parseGoDuration, goDuration } from "../format/go-duration.ts";
import type { GlobalOptions } from "../globals.ts";
import { openKube, type KubeAccess } from "../kube-access.ts";
import { ExitError } from "../line/index.ts";
import { meshVersions } from "../version.ts";
import { installMesh, requireImages } from "./installer.ts";
import { manifestText } from "./manifest.ts";
import { mergeInputs } from "./operator.ts";
import { Progress, screenOf } from "./progress.ts";
import { readSettings, type InstallSettings } from "./settings.ts";
import { removableObjects, removeAll, revisionExists } from "./uninstaller.ts";

interface InputFlags {
  readonly filename?: string[];
  readonly set?: string[];
  readonly revision?: string;
  readonly manifests?: string;
  readonly charts?: string;
  readonly force: boolean;
}

export interface InstallFlags extends InputFlags {
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly readinessTimeout: string;
}

export interface ManifestFlags extends InputFlags {
  readonly output?: string;
}

export interface UninstallFlags {
  readonly filename?: string;
  readonly set?: string[];
  readonly revision?: string;
  readonly purge: boolean;
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly verbose: boolean;
  readonly manifests?: string;
}

const out = (text: string): void => void process.stdout.write(text);
const err = (text: string): void => void process.stderr.write(text);

export async function runInstall(options: InstallFlags, globals: GlobalOptions): Promise<void> {
  const timeoutMs = parseGoDuration(options.readinessTimeout, "--readiness-timeout");
  const settings = settingsOf(options);
  const kube = await openKube(globals);
  await requireImages(kube.client, settings);
  await warnOfVersions({ ...kube, istioNamespace: settings.values.namespace ?? kube.istioNamespace }, settings.values.revision ?? "default");
  if (
    !options.dryRun &&
    !options.skipConfirmation &&
    !(await confirm(`This will install the Istio ${VERSION} profile ${JSON.stringify(settings.profile)} into the cluster. Proceed? (y/N)`, out))
  ) {
    err("Cancelled.\n");
    throw new ExitError("CANCELLED", "", 1);
  }
  await installMesh(settings, {
    client: kube.client,
    progress: new Progress(screenOf(process.stderr)),
    dryRun: options.dryRun,
    timeoutMs,
    timeoutText: goDuration(timeoutMs),
    say: (line) => out(`${line}\n`),
  });
}

export function runGenerate(options: ManifestFlags): void {
  const text = manifestText(settingsOf(options));
  if (options.output === undefined) return out(text);
  try {
    writeFileSync(options.output, text);
  } catch (cause) {
    throw new ChainmailError("FILE_UNWRITABLE", `write manifest to ${JSON.stringify(options.output)}: ${errorText(cause)}`, { cause });
  }
}

export async function runUninstall(options: UninstallFlags, globals: GlobalOptions): Promise<void> {
  refuseCharts(options);
  const kube = await openKube(globals);
  const { client } = kube;
  const inputs = mergeInputs(options.filename === undefined ? [] : [options.filename], options.set ?? []);
  const settings = readSettings(inputs, { force: true });
  const revision = options.revision ?? settings.values.revision;
  if (options.revision !== undefined && !(await revisionExists(client, options.revision)))
    throw new ChainmailError("REVISION_UNKNOWN", "could not find target revision");
  if (options.purge && (options.revision !== undefined || options.filename !== undefined))
    out("Purge uninstall will remove all Istio resources, ignoring the specified revision or operator file\n");
  const objects = await removableObjects(client, { revision, purge: options.purge, namespace: settings.values.namespace ?? kube.istioNamespace });
  const { warning, ask } = options.purge
    ? { warning: "All Istio resources will be pruned from the cluster\n", ask: true }
    : await removalWarning(kube, objects, revision, options.verbose);
  if (!options.purge && objects.length === 0) {
    out("No resources will be pruned from the cluster. Please double check the input configs\n\n");
  } else if (options.dryRun || options.skipConfirmation) {
    if (warning !== "") out(`${warning}\n`);
  } else if (ask && !(await confirm(`${warning}Proceed? (y/N)`, out))) {
    err("Cancelled.\n");
    throw new ExitError("CANCELLED", "", 1);
  }
  await removeAll(client, objects, { dryRun: options.dryRun, say: (line) => out(`${line}\n`) });
  new Progress(screenOf(process.stderr)).complete("Uninstall complete");
}

/** What goes with a revision, and who still needs it. */
async function removalWarning(
  kube: KubeAccess,
  objects: Awaited<ReturnType<typeof removableObjects>>,
  revision: string | undefined,
  verbose: boolean,
): Promise<{ warning: string; ask: boolean }> {
  const names = (wanted: (kind: string) => boolean): string[] => objects.filter(({ kind }) => wanted(kind)).map(({ metadata }) => metadata.name);
  const kinds = [...new Set(objects.map(({ kind }) => kind))];
  const proxies = await connectedProxies(kube);
  const gateways = names((kind) => kind === "Deployment").filter((name) => name.includes("gateway"));
  const parts = [
    ...(verbose
      ? [`The following resources will be pruned from the cluster: ${kinds.map((kind) => `${kind}: ${names((one) => one === kind).join(", ")}. `).join("")}\n`]
      : []),
    ...(revision !== undefined && proxies && proxies.length > 0
      ? [
          `There are still ${proxies.length} proxies pointing to the control plane revision ${revision}\n`,
          // A long list hides the question.
          ...(proxies.length <= 30 ? [`${proxies.join("\n")}\n`] : []),
          "If you proceed with the uninstall, these proxies will become detached from any control plane and will not function correctly.\n",
        ]
      : []),
    ...(revision !== undefined && proxies === undefined
      ? [
          `Unable to find any proxies pointing to the ${revision} control plane. This may be because the control plane cannot be connected or there is no ${revision} control plane.\n`,
        ]
      : []),
    ...(gateways.length > 0
      ? [
          `You are about to remove the following gateways: ${gateways.join(", ")}. To avoid downtime, please quit this command and reinstall the gateway(s) with a revision that is not being removed from the cluster.\n`,
        ]
      : []),
  ];
  return { warning: parts.join(""), ask: parts.length > (verbose ? 1 : 0) };
}

/** undefined when no control plane could be asked. */
async function connectedProxies(kube: KubeAccess): Promise<string[] | undefined> {
  try {
    return (await meshVersions(kube)).data.map(({ ID }) => ID);
  } catch {
    return undefined;
  }
}

function settingsOf(options: InputFlags): InstallSettings {
  refuseCharts(options);
  const { revision } = options;
  if (revision !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(revision))
    throw new ChainmailError("USAGE", `invalid revision specified: ${revision}`);
  const sets = [...(options.set ?? []), ...(revision === undefined || revision === "default" ? [] : [`revision=${revision}`])];
  return readSettings(mergeInputs(options.filename ?? [], sets), { force: options.force, warn: (text) => err(`\u2757 ${text}\n`) });
}

function refuseCharts({ manifests, charts }: { manifests?: string; charts?: string }): void {
  if ((manifests ?? charts) !== undefined)
    throw new ChainmailError("NO_CHARTS", "Chainmail installs without charts: --manifests and --charts have nothing to name", {
      hint: "change the installation with --set or -f",
    });
}

/** Another version is about to be replaced. */
async function warnOfVersions(kube: KubeAccess, revision: string): Promise<void> {
  let versions: string[];
  try {
    versions = (await meshVersions(kube)).control.filter(({ Revision }) => Revision === revision).map(({ Info }) => Info.version);
  } catch {
    // No control plane that answers: nothing to compare with.
    return;
  }
  const installed = versions.sort().at(-1);
  if (installed === undefined || installed === VERSION) return;
  const overwrites =
    revision === "default" ? "         Running this command will overwrite it; use revisions to upgrade alongside the existing version.\n" : "";
  err(
    `WARNING: Istio is being ${installed < VERSION ? "upgraded" : "downgraded"} from ${installed} to ${VERSION}.\n${overwrites}         Before upgrading, you may wish to use 'istioctl x precheck' to check for upgrade warnings.\n`,
  );
}
