import { VERSION } from "../../base/index.ts";
import type { LabelSelector, ResourceRequirements } from "../../resources/index.ts";

/** What the installation decides for every injected pod; the keys are those of Istio's Helm values. */
export interface InjectionValues {
  revision: string;
  global: {
    hub: string;
    tag: string;
    istioNamespace: string;
    imagePullPolicy: "" | "Always" | "IfNotPresent" | "Never";
    imagePullSecrets: string[];
    caAddress: string;
    pilotCertProvider: string;
    meshID: string;
    network: string;
    logAsJson: boolean;
    logging: { level: string };
    multiCluster: { clusterName: string };
    proxy: {
      image: string;
      clusterDomain: string;
      logLevel: string;
      componentLogLevel: string;
      statusPort: number;
      includeIPRanges: string;
      excludeIPRanges: string;
      includeInboundPorts: string;
      excludeInboundPorts: string;
      includeOutboundPorts: string;
      excludeOutboundPorts: string;
      readinessInitialDelaySeconds: number;
      readinessPeriodSeconds: number;
      readinessFailureThreshold: number;
      startupProbe: { enabled: boolean; failureThreshold: number };
      resources: ResourceRequirements;
      holdApplicationUntilProxyStarts: boolean;
    };
  };
  sidecarInjectorWebhook: {
    rewriteAppHTTPProbe: boolean;
    neverInjectSelector: LabelSelector[];
    /** Namespaces without any label are injected too; decided when the webhooks are installed, and read by `istioctl analyze`. */
    enableNamespacesByDefault: boolean;
    /** Go templates of injection by name, those that pods get which name none, and names for lists of them. */
    templates?: Record<string, string>;
    defaultTemplates?: string[];
    aliases?: Record<string, string[]>;
  };
}

/** Istio's demo profile, which asks for little: a mesh on one machine has a proxy in every pod. */
export function defaultValues(): InjectionValues {
  return {
    revision: "default",
    global: {
      hub: "chainmail",
      tag: VERSION,
      istioNamespace: "istio-system",
      imagePullPolicy: "",
      imagePullSecrets: [],
      caAddress: "",
      pilotCertProvider: "istiod",
      meshID: "",
      network: "",
      logAsJson: false,
      logging: { level: "default:info" },
      multiCluster: { clusterName: "" },
      proxy: {
        image: "proxyv2",
        clusterDomain: "cluster.local",
        logLevel: "warning",
        componentLogLevel: "misc:error",
        statusPort: 15020,
        includeIPRanges: "*",
        excludeIPRanges: "",
        includeInboundPorts: "*",
        excludeInboundPorts: "",
        includeOutboundPorts: "",
        excludeOutboundPorts: "",
        readinessInitialDelaySeconds: 0,
        readinessPeriodSeconds: 15,
        readinessFailureThreshold: 4,
        startupProbe: { enabled: true, failureThreshold: 600 },
        resources: { requests: { cpu: "10m", memory: "40Mi" }, limits: { cpu: "2", memory: "1Gi" } },
        holdApplicationUntilProxyStarts: false,
      },
    },
    sidecarInjectorWebhook: { rewriteAppHTTPProbe: true, neverInjectSelector: [], enableNamespacesByDefault: false },
  };
}

/** Values of the ConfigMap istio-sidecar-injector over the defaults; keys that are not known are ignored, as Helm does. */
export function parseValues(json: string): InjectionValues {
  const values = defaultValues();
  overlay(values as unknown as Record<string, unknown>, JSON.parse(json));
  return values;
}

function overlay(target: Record<string, unknown>, source: unknown): void {
  if (!isRecord(source)) return;
  for (const [key, value] of Object.entries(source)) {
    const known = target[key];
    if (known === undefined || value === null || value === undefined) continue;
    if (isRecord(known) && key !== "resources") overlay(known, value);
    else if (typeof known === "string" && typeof value === "number") target[key] = String(value);
    else if (typeof known === typeof value && Array.isArray(known) === Array.isArray(value)) target[key] = value;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
