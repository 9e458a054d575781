import { type Analyzer, type Finding } from "./findings.ts";
import { isControlPlane, list, spec, text, type Json } from "./world.ts";

const MANAGED = new Set(["istio.io-gateway-controller", "istio.io-mesh-controller", "istio.io-eastwest-controller"]);
/** Ports whose protocol everybody knows: SMTP, DNS, MySQL, MongoDB. */
const WELL_KNOWN_PORTS = new Set([25, 53, 3306, 27_017]);
const PROTOCOLS = new Set(["tcp", "udp", "grpc", "grpc-web", "http", "http_proxy", "http2", "https", "tls", "mongo", "redis", "mysql"]);
/** Kubernetes' own names, which stand in appProtocol only. */
const APP_PROTOCOLS = new Set(["kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"]);

export const portNames: Analyzer = {
  name: "service.PortNameAnalyzer",
  description: "Checks the port names associated with each service",
  needs: ["Service"],
  run: (world) =>
    world.kind("Service").flatMap((about) => {
      if (isControlPlane(about) || MANAGED.has(about.metadata.labels?.["gateway.istio.io/managed"] ?? "")) return [];
      const external = spec(about).type === "ExternalName";
      return list(spec(about).ports).flatMap((port, index): Finding[] => {
        const name = text(port.name);
        if (hasProtocol(port) && !(name === "tcp" && external)) return [];
        const path = `.spec.ports[${index}].port`;
        if (external)
          return [
            {
              code: "IST0150",
              about,
              message:
                "Port name for ExternalName service is invalid. Proxy may prevent tcp named ports and unmatched traffic for ports serving TCP protocol from being forwarded correctly",
              path,
            },
          ];
        return [
          {
            code: "IST0118",
            about,
            message: `Port name ${name} (port: ${String(port.port)}, targetPort: ${String(port.targetPort ?? 0)}) doesn't follow the naming convention of Istio port.`,
            path,
          },
        ];
      });
    }),
};

/** Whether the port says what goes over it. */
function hasProtocol(port: Json): boolean {
  if (port.protocol === "UDP") return true;
  const name = (typeof port.appProtocol === "string" ? port.appProtocol : text(port.name)).toLowerCase();
  if (port.appProtocol !== undefined && APP_PROTOCOLS.has(name)) return true;
  return name.startsWith("grpc-web") || PROTOCOLS.has(name.split("-")[0] ?? "") || WELL_KNOWN_PORTS.has(Number(port.port));
}
