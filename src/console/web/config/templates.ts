import { toYaml } from "../parts/yaml.tsx";

/** What a wizard asks for. */
export interface Field {
  key: string;
  label: string;
  /** Values to choose from, with their words; without them the field is free text. */
  options?: Record<string, string>;
  initial: string;
  /** An example, where it is text. */
  placeholder?: string;
}

export interface Wizard {
  key: string;
  title: string;
  what: string;
  kind: string;
  group: string;
  fields(mesh: Surroundings): Field[];
  /** The object, as a manifest for the editor. */
  object(values: Record<string, string>): { metadata: { name: string; namespace: string } } & Record<string, unknown>;
}

/** What can be chosen from. */
export interface Surroundings {
  namespaces: string[];
  /** Names of workloads as NAMESPACE/WORKLOAD, with the label that chooses their pods. */
  workloads: { namespace: string; name: string; app: string }[];
  services: { namespace: string; name: string }[];
}

const ROOT_NAMESPACE = "istio-system";
const named = (kind: string, apiVersion: string, namespace: string, name: string, spec: object) => ({ apiVersion, kind, metadata: { name, namespace }, spec });
const pair = (text: string): [string, string] => [text.split("/")[0] ?? "", text.split("/")[1] ?? ""];
const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);

const workloadField = (mesh: Surroundings, every: Record<string, string>): Field => ({
  key: "target",
  label: "For",
  initial: Object.keys(every)[0] ?? "",
  options: {
    ...every,
    ...Object.fromEntries(mesh.namespaces.map((name) => [name, `namespace ${name}`])),
    ...Object.fromEntries(mesh.workloads.map(({ namespace, name, app }) => [`${namespace}/${app}`, `workload ${name}.${namespace}`])),
  },
});
const serviceField = (mesh: Surroundings, key: string, label: string): Field => {
  const options = Object.fromEntries(mesh.services.map(({ namespace, name }) => [`${namespace}/${name}`, `${name}.${namespace}`]));
  return { key, label, options, initial: Object.keys(options)[0] ?? "" };
};
/** Where a policy for a mesh, a namespace or a workload stands, and how it chooses. */
function scope(target: string): { namespace: string; name: string; selector: object } {
  const [namespace, app] = pair(target);
  return { namespace: namespace || ROOT_NAMESPACE, name: app || "default", selector: app ? { selector: { matchLabels: { app } } } : {} };
}

/** The ways in to a first manifest; the editor has the last word on it. */
export const WIZARDS: readonly Wizard[] = [
  {
    key: "mtls",
    title: "Mutual TLS",
    what: "who may come in without it",
    kind: "PeerAuthentication",
    group: "security.istio.io",
    fields: (mesh) => [
      workloadField(mesh, { "": "the whole mesh" }),
      {
        key: "mode",
        label: "mode",
        initial: "STRICT",
        options: { STRICT: "STRICT: mutual TLS only", PERMISSIVE: "PERMISSIVE: plaintext too", DISABLE: "DISABLE: plaintext only" },
      },
    ],
    object({ target = "", mode = "STRICT" }) {
      const { namespace, name, selector } = scope(target);
      return named("PeerAuthentication", "security.istio.io/v1", namespace, name, { ...selector, mtls: { mode } });
    },
  },
  {
    key: "authorization",
    title: "Authorization",
    what: "who may call what",
    kind: "AuthorizationPolicy",
    group: "security.istio.io",
    fields: (mesh) => [
      workloadField(mesh, { "": "the whole mesh" }),
      { key: "action", label: "what is listed is", initial: "ALLOW", options: { ALLOW: "allowed, all else denied", DENY: "denied" } },
      { key: "namespaces", label: "callers in namespaces", initial: mesh.namespaces[0] ?? "", placeholder: "any" },
      { key: "accounts", label: "as service accounts", initial: "", placeholder: "namespace/account" },
      { key: "methods", label: "methods", initial: "", placeholder: "GET POST" },
      { key: "paths", label: "paths", initial: "", placeholder: "/admin/*" },
    ],
    object({ target = "", action = "ALLOW", namespaces = "", accounts = "", methods = "", paths = "" }) {
      const { namespace, name, selector } = scope(target);
      const source = {
        ...(words(namespaces).length > 0 && { namespaces: words(namespaces) }),
        ...(words(accounts).length > 0 && { principals: words(accounts).map((account) => `cluster.local/ns/${pair(account)[0]}/sa/${pair(account)[1]}`) }),
      };
      const operation = { ...(words(methods).length > 0 && { methods: words(methods) }), ...(words(paths).length > 0 && { paths: words(paths) }) };
      const rule = { ...(Object.keys(source).length > 0 && { from: [{ source }] }), ...(Object.keys(operation).length > 0 && { to: [{ operation }] }) };
      return named("AuthorizationPolicy", "security.istio.io/v1", namespace, `${name === "default" ? "mesh" : name}-${action.toLowerCase()}`, {
        ...selector,
        action,
        rules: [rule],
      });
    },
  },
  {
    key: "routing",
    title: "Routing",
    what: "send a part of the requests elsewhere",
    kind: "VirtualService",
    group: "networking.istio.io",
    fields: (mesh) => [
      serviceField(mesh, "service", "Requests to"),
      serviceField(mesh, "other", "go to"),
      { key: "percent", label: "of 100 requests", initial: "10" },
      { key: "header", label: "only with the header", initial: "", placeholder: "end-user=jason" },
    ],
    object({ service = "", other = "", percent = "10", header = "" }) {
      const [namespace, name] = pair(service);
      const [otherNamespace, otherName] = pair(other);
      const weight = Math.min(100, Math.max(0, Math.round(Number(percent) || 0)));
      const host = (n: string, ns: string) => ({ destination: { host: `${n}.${ns}.svc.cluster.local` } });
      const [key, value] = header.split("=");
      const split = {
        route: [
          { ...host(otherName, otherNamespace), weight },
          { ...host(name, namespace), weight: 100 - weight },
        ],
      };
      const http = key && value ? [{ match: [{ headers: { [key.trim()]: { exact: value.trim() } } }], ...split }, { route: [host(name, namespace)] }] : [split];
      return named("VirtualService", "networking.istio.io/v1", namespace, name, { hosts: [`${name}.${namespace}.svc.cluster.local`], http });
    },
  },
  {
    key: "faults",
    title: "Faults",
    what: "see what happens when a service is slow or fails",
    kind: "VirtualService",
    group: "networking.istio.io",
    fields: (mesh) => [
      serviceField(mesh, "service", "Requests to"),
      { key: "fault", label: "are", initial: "delay", options: { delay: "delayed", abort: "refused" } },
      { key: "value", label: "by, or with status", initial: "2s", placeholder: "2s or 503" },
      { key: "percent", label: "of 100 requests", initial: "50" },
    ],
    object({ service = "", fault = "delay", value = "2s", percent = "50" }) {
      const [namespace, name] = pair(service);
      const percentage = { value: Math.min(100, Math.max(0, Number(percent) || 0)) };
      const kind =
        fault === "delay"
          ? { delay: { fixedDelay: /^[\d.]+(ms|s|m|h)$/.test(value) ? value : "2s", percentage } }
          : { abort: { httpStatus: /^\d{3}$/.test(value) ? Number(value) : 503, percentage } };
      return named("VirtualService", "networking.istio.io/v1", namespace, name, {
        hosts: [`${name}.${namespace}.svc.cluster.local`],
        http: [{ fault: kind, route: [{ destination: { host: `${name}.${namespace}.svc.cluster.local` } }] }],
      });
    },
  },
];

/** The manifest that a wizard's answers make. */
export function manifestOf(wizard: Wizard, values: Record<string, string>): string {
  return toYaml(wizard.object(values));
}
