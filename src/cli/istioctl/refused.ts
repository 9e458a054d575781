import { Command } from "commander";
import { ChainmailError } from "../../base/index.ts";
import { withGlobals } from "./globals.ts";
import { group } from "./line/index.ts";

/** Commands of meshes that Chainmail does not make: each is there, and says why it does nothing. */

export function waypointCommand(): Command {
  return refusingGroup(
    "waypoint",
    "Waypoints of an ambient mesh",
    ["apply", "delete", "generate", "list", "status"],
    [],
    "NO_AMBIENT",
    "there are no waypoints: Chainmail's mesh is one of sidecars, ambient mode is not part of it",
    "label the namespace istio-injection=enabled; istioctl proxy-config shows a sidecar's configuration",
  );
}

export function ztunnelConfigCommand(): Command {
  return refusingGroup(
    "ztunnel-config",
    "Configuration of ztunnel in an ambient mesh",
    ["all", "certificate", "connections", "log", "policy", "service", "workload"],
    ["zc"],
    "NO_AMBIENT",
    "there is no ztunnel: Chainmail's mesh is one of sidecars, ambient mode is not part of it",
    "istioctl proxy-config shows a sidecar's configuration, istioctl proxy-config secret its certificates",
  );
}

export function workloadCommand(): Command {
  const root = refusingGroup("workload", "Workloads on machines outside the cluster", [], [], "NO_MACHINES", "", "");
  for (const [name, commands] of [
    ["entry", ["configure"]],
    ["group", ["create"]],
  ] as const) {
    root.addCommand(
      refusingGroup(
        name,
        `Workload${name === "entry" ? "Entry" : "Group"} resources`,
        commands,
        [],
        "NO_MACHINES",
        "machines outside the cluster cannot join a Chainmail mesh by istioctl",
        "write the WorkloadEntry or WorkloadGroup and apply it with kubectl",
      ),
    );
  }
  return root;
}

export function createRemoteSecretCommand(): Command {
  return refusing(
    "create-remote-secret",
    "Credentials for a control plane in another cluster",
    "NO_REMOTE_CLUSTERS",
    "Chainmail's control plane reads one cluster, its own: a secret with credentials of another one would be stored for nobody",
    "istioctl remote-clusters lists what a control plane is connected to",
  );
}

/** Istio turns the settings of an IstioOperator into values of its charts by it. */
export function translateCommand(): Command {
  return refusing(
    "translate",
    "Values of charts for an IstioOperator",
    "NO_TRANSLATION",
    "Chainmail's charts take the values of Istio's that have an effect here under the same names: there is nothing to translate",
    "istioctl manifest generate shows the objects of an IstioOperator; docs/kubernetes.md names the values of the charts",
  );
}

function refusingGroup(
  name: string,
  summary: string,
  commands: readonly string[],
  aliases: readonly string[],
  code: string,
  reason: string,
  hint: string,
): Command {
  const root = group(
    withGlobals(new Command(name))
      .aliases([...aliases])
      .description(summary),
  );
  for (const subcommand of commands) root.addCommand(refusing(subcommand, `${summary}: ${subcommand}`, code, reason, hint));
  return root;
}

function refusing(name: string, summary: string, code: string, reason: string, hint: string): Command {
  return withGlobals(new Command(name))
    .description(summary)
    .allowUnknownOption()
    .argument("[args...]")
    .action(() => {
      throw new ChainmailError(code, reason, { hint });
    });
}
