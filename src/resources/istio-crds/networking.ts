import { freeObject, int32, map, obj, plainList, str } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";
import { countOf, enumOf, labelsSelector, nullable, oneOf, port, rule, rules, strings, targetRef, text, uint32, upTo, workloadSelector } from "./parts.ts";
import { connectionPool, destination, serverTls, trafficPolicy } from "./traffic-policy.ts";

export function destinationRule(): Schema {
  return obj({
    exportTo: strings,
    "host!": str,
    subsets: plainList(obj({ labels: map(str), "name!": str, trafficPolicy: trafficPolicy() })),
    trafficPolicy: trafficPolicy(),
    workloadSelector,
  });
}

export function gateway(): Schema {
  const server = obj({
    bind: str,
    defaultEndpoint: str,
    "port!": obj({ "number!": uint32, "protocol!": str, "name!": str, targetPort: uint32 }),
    "hosts!": strings,
    name: str,
    tls: serverTls(),
  });
  return obj({ selector: map(str), servers: plainList(server) });
}

export function serviceEntry(): Schema {
  const resolution = (otherwise: string) => `(has(self.resolution) ? self.resolution : "${otherwise}")`;
  const endpoints = "(has(self.endpoints) ? self.endpoints : [])";
  return obj(
    {
      addresses: plainList(upTo(64), { maxItems: 256 }),
      endpoints: plainList(workloadEntry(), { maxItems: 4096 }),
      exportTo: strings,
      "hosts!": plainList({ type: "string", ...rules(rule('self != "*"', "hostname cannot be wildcard")) }, { minItems: 1, maxItems: 256 }),
      location: enumOf("MESH_EXTERNAL", "MESH_INTERNAL"),
      ports: plainList(obj({ "number!": port, "name!": upTo(256), protocol: upTo(256), targetPort: port }), {
        maxItems: 256,
        "x-kubernetes-list-map-keys": ["name"],
        "x-kubernetes-list-type": "map",
        ...rules(rule("self.all(l1, self.exists_one(l2, l1.number == l2.number))", "port number cannot be duplicated")),
      }),
      resolution: enumOf("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"),
      subjectAltNames: strings,
      workloadSelector: labelsSelector,
    },
    rules(
      rule(`${countOf("workloadSelector", "endpoints")} <= 1`, "only one of WorkloadSelector or Endpoints can be set"),
      rule(
        `!((has(self.addresses) ? self.addresses : []).exists(k, k.contains("/")) && !(${resolution("NONE")} in ["STATIC", "NONE"]))`,
        "CIDR addresses are allowed only for NONE/STATIC resolution types",
      ),
      rule(`(${resolution("NONE")} == "NONE") ? !has(self.endpoints) : true`, "NONE mode cannot set endpoints"),
      rule(`(${resolution("")} == "DNS_ROUND_ROBIN") ? (${endpoints}.size() <= 1) : true`, "DNS_ROUND_ROBIN mode cannot have multiple endpoints"),
    ),
  );
}

const addressRequired = rule("has(self.address) || has(self.network)", "Address is required");
const socketWithoutPorts = rule('(has(self.address) ? self.address : "").startsWith("unix://") ? !has(self.ports) : true', "UDS may not include ports");

function workloadFields(): Record<string, Schema> {
  return {
    address: {
      ...upTo(256),
      ...rules(
        rule(
          'self.startsWith("unix://") ? (self.substring(7, 8) == "/" || self.substring(7, 8) == "@") : true',
          "UDS must be an absolute path or abstract socket",
        ),
        rule('self.startsWith("unix://") ? !self.endsWith("/") : true', "UDS may not be a dir"),
      ),
    },
    labels: map(str, { maxProperties: 256 }),
    locality: upTo(2048),
    network: upTo(2048),
    ports: map(port, {
      maxProperties: 128,
      ...rules(rule('self.all(key, size(key) < 63 && key.matches("^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$"))', "port name must be valid")),
    }),
    serviceAccount: upTo(253),
    weight: uint32,
  };
}

export function workloadEntry(): Schema {
  return obj(workloadFields(), rules(addressRequired, socketWithoutPorts));
}

export function workloadGroup(): Schema {
  const count: Schema = { ...int32, minimum: 0 };
  const probe = obj(
    {
      exec: obj({ "command!": plainList(text(1)) }),
      failureThreshold: count,
      grpc: obj({ port, service: str }),
      httpGet: obj({
        host: str,
        httpHeaders: plainList(obj({ name: { type: "string", pattern: "^[-_A-Za-z0-9]+$" }, value: str })),
        path: str,
        "port!": port,
        scheme: { type: "string", ...rules(rule('self in ["", "HTTP", "HTTPS"]', "scheme must be one of [HTTP, HTTPS]")) },
      }),
      initialDelaySeconds: count,
      periodSeconds: count,
      successThreshold: count,
      tcpSocket: obj({ host: str, "port!": port }),
      timeoutSeconds: count,
    },
    oneOf("httpGet", "tcpSocket", "exec", "grpc"),
  );
  return obj({
    metadata: obj({ annotations: map(str, { maxProperties: 256 }), labels: map(str, { maxProperties: 256 }) }),
    probe,
    "template!": obj(workloadFields(), rules(socketWithoutPorts)),
  });
}

export function sidecar(): Schema {
  const sidecarPort = obj({ name: str, number: uint32, protocol: str, targetPort: uint32 });
  const captureMode = enumOf("DEFAULT", "IPTABLES", "NONE");
  return obj({
    egress: plainList(obj({ bind: str, captureMode, "hosts!": strings, port: sidecarPort })),
    inboundConnectionPool: connectionPool(),
    ingress: plainList(obj({ bind: str, captureMode, connectionPool: connectionPool(), defaultEndpoint: str, "port!": sidecarPort, tls: serverTls() })),
    outboundTrafficPolicy: obj({ egressProxy: destination(), mode: enumOf("REGISTRY_ONLY", "ALLOW_ANY") }),
    workloadSelector: labelsSelector,
  });
}

export function envoyFilter(): Schema {
  const filter = obj({ name: str, subFilter: obj({ name: str }) });
  const match = obj(
    {
      cluster: obj({ name: str, portNumber: uint32, service: str, subset: str }),
      context: enumOf("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"),
      listener: obj({
        filterChain: obj({ applicationProtocols: str, destinationPort: uint32, filter, name: str, sni: str, transportProtocol: str }),
        listenerFilter: str,
        name: str,
        portName: str,
        portNumber: uint32,
      }),
      proxy: obj({ metadata: map(str), proxyVersion: str }),
      routeConfiguration: obj({
        gateway: str,
        name: str,
        portName: str,
        portNumber: uint32,
        vhost: obj({ domainName: str, name: str, route: obj({ action: enumOf("ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"), name: str }) }),
      }),
      waypoint: obj({ filter, portNumber: uint32, route: obj({ name: str }) }),
    },
    oneOf("listener", "routeConfiguration", "cluster", "waypoint"),
  );
  const patch = obj({
    filterClass: enumOf("UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"),
    operation: enumOf("INVALID", "MERGE", "ADD", "REMOVE", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST", "REPLACE"),
    value: freeObject,
  });
  const applyTo = enumOf(
    "INVALID",
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
    "LISTENER_FILTER",
  );
  return obj(
    {
      configPatches: plainList(obj({ applyTo, match, patch })),
      priority: int32,
      targetRefs: plainList(targetRef, { maxItems: 16 }),
      workloadSelector: labelsSelector,
    },
    rules(rule(`${countOf("workloadSelector", "targetRefs")} <= 1`, "only one of targetRefs or workloadSelector can be set")),
  );
}

export function proxyConfig(): Schema {
  return obj({
    concurrency: { ...nullable(int32), minimum: 0 },
    environmentVariables: map(upTo(2048)),
    image: obj({ imageType: str }),
    selector: workloadSelector,
  });
}
