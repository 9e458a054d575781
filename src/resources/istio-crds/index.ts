import type { CrdVersion, CustomResourceDefinition } from "../core.ts";
import { obj } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";
import * as networking from "./networking.ts";
import { doc, istioStatus } from "./parts.ts";
import * as security from "./security.ts";
import { telemetry, trafficExtension, wasmPlugin } from "./telemetry.ts";
import { virtualService } from "./virtual-service.ts";

type PrinterColumn = NonNullable<CrdVersion["additionalPrinterColumns"]>[number];

interface Kind {
  group: string;
  kind: string;
  /** For `kubectl explain`. */
  purpose: string;
  plural: string;
  shortNames?: string[];
  /** Served versions, the first is stored. */
  versions: string[];
  spec: () => Schema;
  /** Whether an object without a spec is refused. */
  specRequired?: boolean;
  columns?: PrinterColumn[];
}

/** The CustomResourceDefinitions of Istio's API, as `kubectl apply` would take them. */
export function istioCrds(): CustomResourceDefinition[] {
  return KINDS.map(customResourceDefinition);
}

const column = (name: string, jsonPath: string, description: string): PrinterColumn => ({ name, type: "string", description, jsonPath });
const AGE: PrinterColumn = { name: "Age", type: "date", description: "time since creation", jsonPath: ".metadata.creationTimestamp" };

const NETWORKING = "networking.istio.io";
const SECURITY = "security.istio.io";
const TRAFFIC_VERSIONS = ["v1", "v1beta1", "v1alpha3"];
const SECURITY_VERSIONS = ["v1", "v1beta1"];

const KINDS: Kind[] = [
  {
    group: "extensions.istio.io",
    kind: "TrafficExtension",
    purpose: "Wasm and Lua extensions of proxies.",
    plural: "trafficextensions",
    versions: ["v1alpha1"],
    spec: trafficExtension,
    specRequired: true,
  },
  {
    group: "extensions.istio.io",
    kind: "WasmPlugin",
    purpose: "Wasm extensions of proxies.",
    plural: "wasmplugins",
    versions: ["v1alpha1"],
    spec: wasmPlugin,
    specRequired: true,
  },
  {
    group: NETWORKING,
    kind: "DestinationRule",
    purpose: "What applies to traffic for a service after routing: load balancing, TLS, pools, subsets.",
    plural: "destinationrules",
    shortNames: ["dr"],
    versions: TRAFFIC_VERSIONS,
    spec: networking.destinationRule,
    columns: [column("Host", ".spec.host", "the service it is for")],
  },
  {
    group: NETWORKING,
    kind: "EnvoyFilter",
    purpose: "Patches of the configuration that Istio generates for Envoy.",
    plural: "envoyfilters",
    versions: ["v1alpha3"],
    spec: networking.envoyFilter,
  },
  {
    group: NETWORKING,
    kind: "Gateway",
    purpose: "Ports and hosts that a gateway at the edge of the mesh serves, and their TLS.",
    plural: "gateways",
    shortNames: ["gw"],
    versions: TRAFFIC_VERSIONS,
    spec: networking.gateway,
  },
  {
    group: NETWORKING,
    kind: "ProxyConfig",
    purpose: "Settings of the proxies themselves.",
    plural: "proxyconfigs",
    versions: ["v1beta1"],
    spec: networking.proxyConfig,
  },
  {
    group: NETWORKING,
    kind: "ServiceEntry",
    purpose: "Hosts added to the registry of services, outside or inside the mesh.",
    plural: "serviceentries",
    shortNames: ["se"],
    versions: TRAFFIC_VERSIONS,
    spec: networking.serviceEntry,
    specRequired: true,
    columns: [
      column("Hosts", ".spec.hosts", "the hosts it adds"),
      column("Location", ".spec.location", "outside or inside the mesh"),
      column("Resolution", ".spec.resolution", "how its hosts are resolved"),
    ],
  },
  {
    group: NETWORKING,
    kind: "Sidecar",
    purpose: "What a sidecar listens on and may reach.",
    plural: "sidecars",
    versions: TRAFFIC_VERSIONS,
    spec: networking.sidecar,
  },
  {
    group: NETWORKING,
    kind: "VirtualService",
    purpose: "Where requests for a host are routed, and on which conditions.",
    plural: "virtualservices",
    shortNames: ["vs"],
    versions: TRAFFIC_VERSIONS,
    spec: virtualService,
    columns: [column("Gateways", ".spec.gateways", "the gateways it is bound to"), column("Hosts", ".spec.hosts", "the hosts it routes")],
  },
  {
    group: NETWORKING,
    kind: "WorkloadEntry",
    purpose: "A workload that is no pod, such as a virtual machine.",
    plural: "workloadentries",
    shortNames: ["we"],
    versions: TRAFFIC_VERSIONS,
    spec: networking.workloadEntry,
    specRequired: true,
    columns: [AGE, column("Address", ".spec.address", "where the workload is")],
  },
  {
    group: NETWORKING,
    kind: "WorkloadGroup",
    purpose: "The template of WorkloadEntries.",
    plural: "workloadgroups",
    shortNames: ["wg"],
    versions: TRAFFIC_VERSIONS,
    spec: networking.workloadGroup,
    specRequired: true,
  },
  {
    group: SECURITY,
    kind: "AuthorizationPolicy",
    purpose: "Who may call what.",
    plural: "authorizationpolicies",
    shortNames: ["ap"],
    versions: SECURITY_VERSIONS,
    spec: security.authorizationPolicy,
    columns: [column("Action", ".spec.action", "what is done with requests that match")],
  },
  {
    group: SECURITY,
    kind: "PeerAuthentication",
    purpose: "Whether connections to workloads must be mutual TLS.",
    plural: "peerauthentications",
    shortNames: ["pa"],
    versions: SECURITY_VERSIONS,
    spec: security.peerAuthentication,
    columns: [column("Mode", ".spec.mtls.mode", "the mode of mutual TLS")],
  },
  {
    group: SECURITY,
    kind: "RequestAuthentication",
    purpose: "The tokens of end users that workloads accept.",
    plural: "requestauthentications",
    shortNames: ["ra"],
    versions: SECURITY_VERSIONS,
    spec: security.requestAuthentication,
  },
  {
    group: "telemetry.istio.io",
    kind: "Telemetry",
    purpose: "Metrics, traces and access logs of workloads.",
    plural: "telemetries",
    shortNames: ["telemetry"],
    versions: ["v1", "v1alpha1"],
    spec: telemetry,
  },
];

function customResourceDefinition(of: Kind): CustomResourceDefinition {
  const openAPIV3Schema = obj(
    { spec: doc(of.purpose, of.spec()), status: istioStatus() },
    { description: of.purpose, ...(of.specRequired ? { required: ["spec"] } : {}) },
  );
  const additionalPrinterColumns = of.columns?.includes(AGE) ? of.columns : [...(of.columns ?? []), AGE];
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${of.plural}.${of.group}`,
      labels: { app: "istio-pilot", chart: "istio", heritage: "Tiller", release: "istio" },
    },
    spec: {
      group: of.group,
      scope: "Namespaced",
      names: {
        kind: of.kind,
        listKind: `${of.kind}List`,
        plural: of.plural,
        singular: of.kind.toLowerCase(),
        ...(of.shortNames ? { shortNames: of.shortNames } : {}),
        categories: ["istio-io", `${of.group.replaceAll(".", "-").replace(/-istio-io$/, "")}-istio-io`],
      },
      versions: of.versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        subresources: { status: {} },
        additionalPrinterColumns,
        schema: { openAPIV3Schema },
      })),
    },
  };
}
