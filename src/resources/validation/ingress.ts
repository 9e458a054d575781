import type { FieldError, KubeObject } from "../types.ts";
import { invalid, invalids, notSupported, required } from "./field.ts";
import { dns1123Subdomain, domainPath, ipAddress, portName, portNumber, wildcardSubdomain } from "./names.ts";

interface Backend {
  service?: { name?: string; port?: { name?: string; number?: number } };
  resource?: unknown;
}

interface Path {
  path?: string;
  pathType?: string;
  backend?: Backend;
}

interface Spec {
  rules?: { host?: string; http?: { paths?: Path[] } }[];
  defaultBackend?: Backend;
  tls?: { hosts?: string[]; secretName?: string }[];
  ingressClassName?: string;
}

const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
/** Sequences that different servers read differently. */
const UNSAFE = ["//", "/./", "/../", "%2f", "%2F"];
const UNSAFE_ENDINGS = ["/..", "/."];

export function validateIngress(ingress: KubeObject): FieldError[] {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = (ingress.spec ?? {}) as Spec;
  const errors: FieldError[] = [];
  if (rules.length === 0 && !defaultBackend)
    errors.push(invalid("spec", (ingress.spec as Spec | undefined)?.rules ?? null, "either `defaultBackend` or `rules` must be specified"));
  if (defaultBackend) errors.push(...validateBackend(defaultBackend, "spec.defaultBackend"));
  for (const [index, { host = "", http }] of rules.entries()) {
    const field = `spec.rules[${index}]`;
    errors.push(...validateHost(host, `${field}.host`));
    if (!http) continue;
    if (!http.paths?.length) errors.push(required(`${field}.http.paths`));
    for (const [at, path] of (http.paths ?? []).entries()) errors.push(...validatePath(path, `${field}.http.paths[${at}]`));
  }
  for (const [index, { hosts = [] }] of tls.entries()) {
    for (const [at, host] of hosts.entries())
      errors.push(...invalids(`spec.tls[${index}].hosts[${at}]`, host, host.includes("*") ? wildcardSubdomain(host) : dns1123Subdomain(host)));
  }
  if (ingressClassName !== undefined) errors.push(...invalids("spec.ingressClassName", ingressClassName, dns1123Subdomain(ingressClassName)));
  return errors;
}

export function validateIngressClass(ingressClass: KubeObject): FieldError[] {
  const { controller = "" } = (ingressClass.spec ?? {}) as { controller?: string };
  if (controller === "") return [required("spec.controller")];
  return invalids("spec.controller", controller, domainPath(controller));
}

function validateHost(host: string, field: string): FieldError[] {
  if (host === "") return [];
  if (ipAddress(host).length === 0) return [invalid(field, host, "must be a DNS name, not an IP address")];
  return invalids(field, host, host.includes("*") ? wildcardSubdomain(host) : dns1123Subdomain(host));
}

function validatePath({ path = "", pathType, backend = {} }: Path, field: string): FieldError[] {
  if (pathType === undefined) return [required(`${field}.pathType`, "pathType must be specified")];
  const errors: FieldError[] = [];
  if (!PATH_TYPES.includes(pathType)) errors.push(notSupported(`${field}.pathType`, pathType, PATH_TYPES));
  else if (pathType === "ImplementationSpecific") {
    if (path !== "" && !path.startsWith("/")) errors.push(invalid(`${field}.path`, path, "must be an absolute path"));
  } else {
    if (!path.startsWith("/")) errors.push(invalid(`${field}.path`, path, "must be an absolute path"));
    for (const sequence of UNSAFE) if (path.includes(sequence)) errors.push(invalid(`${field}.path`, path, `must not contain '${sequence}'`));
    for (const ending of UNSAFE_ENDINGS) if (path.endsWith(ending)) errors.push(invalid(`${field}.path`, path, `cannot end with '${ending}'`));
  }
  return [...errors, ...validateBackend(backend, `${field}.backend`)];
}

function validateBackend({ service, resource }: Backend, field: string): FieldError[] {
  if (service && resource) return [invalid(field, "", "cannot set both resource and service backends")];
  if (resource) return [];
  if (!service) return [invalid(field, "", "resource or service backend is required")];
  const { name = "", port = {} } = service;
  const errors: FieldError[] = name === "" ? [required(`${field}.service.name`)] : invalids(`${field}.service.name`, name, dns1123Subdomain(name));
  if (port.name && port.number) errors.push(invalid(field, "", "cannot set both port name & port number"));
  else if (port.name) errors.push(...invalids(`${field}.service.port.name`, port.name, portName(port.name)));
  else if (port.number) errors.push(...invalids(`${field}.service.port.number`, port.number, portNumber(port.number)));
  else errors.push(required(field, "port name or number is required"));
  return errors;
}
