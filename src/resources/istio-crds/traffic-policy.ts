/** Connection pools, TLS settings and load balancing: DestinationRule, Sidecar and Gateway share them. */
import { bool, double, int32, map, obj, plainList, str } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";
import { countOf, duration, enumOf, nullable, oneOf, optionalBool, rule, rules, strings, uint32, unsigned } from "./parts.ts";

const percent: Schema = { type: "number", format: "double", nullable: true, minimum: 0, maximum: 100 };

export const destination = (): Schema => obj({ "host!": str, port: obj({ number: uint32 }), subset: str });

export const connectionPool = (): Schema =>
  obj({
    http: obj({
      h2UpgradePolicy: enumOf("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
      http1MaxPendingRequests: int32,
      http2KeepAlive: obj({ interval: duration, timeout: duration }),
      http2MaxRequests: int32,
      idleTimeout: duration,
      maxConcurrentStreams: int32,
      maxRequestsPerConnection: int32,
      maxRetries: int32,
      useClientProtocol: bool,
    }),
    tcp: obj({
      connectTimeout: duration,
      idleTimeout: str,
      maxConnectionDuration: duration,
      maxConnections: int32,
      tcpKeepalive: obj({ interval: duration, probes: uint32, time: duration }),
    }),
  });

export const clientTls = (): Schema =>
  obj({
    caCertificates: str,
    caCrl: str,
    clientCertificate: str,
    credentialName: str,
    insecureSkipVerify: optionalBool,
    mode: enumOf("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
    privateKey: str,
    sni: str,
    subjectAltNames: strings,
  });

export const serverTls = (): Schema => {
  const version = enumOf("TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3");
  return obj(
    {
      caCertCredentialName: str,
      caCertificates: str,
      caCrl: str,
      cipherSuites: strings,
      credentialName: str,
      credentialNames: plainList(str, { minItems: 1, maxItems: 2 }),
      httpsRedirect: bool,
      insecureSkipVerify: optionalBool,
      maxProtocolVersion: version,
      minProtocolVersion: version,
      mode: enumOf("PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"),
      privateKey: str,
      serverCertificate: str,
      subjectAltNames: strings,
      tlsCertificates: plainList(obj({ caCertificates: str, privateKey: str, serverCertificate: str }), { minItems: 1, maxItems: 2 }),
      verifyCertificateHash: strings,
      verifyCertificateSpki: strings,
    },
    rules(
      rule(`${countOf("tlsCertificates", "credentialNames")} <= 1`, "only one of credentialNames or tlsCertificates can be set"),
      rule(`${countOf("credentialName", "credentialNames")} <= 1`, "only one of credentialName or credentialNames can be set"),
      rule(`${countOf("credentialNames", "tlsCertificates")} <= 1`, "only one of credentialName or tlsCertificates can be set"),
    ),
  );
};

const failover = () => plainList(obj({ from: str, to: str }));

const loadBalancer = (): Schema => {
  const hash = obj(
    {
      httpCookie: obj({ attributes: plainList(obj({ "name!": str, value: str })), "name!": str, path: str, ttl: str }),
      httpHeaderName: str,
      httpQueryParameterName: str,
      maglev: obj({ tableSize: unsigned }),
      minimumRingSize: unsigned,
      ringHash: obj({ minimumRingSize: unsigned }),
      useSourceIp: bool,
    },
    { allOf: [oneOf("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"), oneOf("ringHash", "maglev")] },
  );
  return obj(
    {
      consistentHash: hash,
      localityLbSetting: obj({
        distribute: plainList(obj({ from: str, to: map(uint32) })),
        enabled: optionalBool,
        failover: failover(),
        failoverPriority: strings,
      }),
      simple: enumOf("UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"),
      warmup: obj({ aggression: { ...nullable(double), minimum: 0 }, "duration!": duration, minimumPercent: percent }),
      warmupDurationSecs: duration,
      zoneAwareLbSetting: obj({
        enabled: optionalBool,
        failover: failover(),
        failoverPriority: strings,
        minClusterSize: { type: "integer", nullable: true, minimum: 1, maximum: 4294967295 },
      }),
    },
    oneOf("simple", "consistentHash"),
  );
};

const outlierDetection = (): Schema =>
  obj({
    baseEjectionTime: duration,
    consecutive5xxErrors: nullable(uint32),
    consecutiveErrors: int32,
    consecutiveGatewayErrors: nullable(uint32),
    consecutiveLocalOriginFailures: nullable(uint32),
    interval: duration,
    maxEjectionPercent: int32,
    minHealthPercent: int32,
    outlierDetectionHttpErrorCodes: plainList({ type: "integer", minimum: 100, maximum: 599 }),
    splitExternalLocalOriginErrors: bool,
  });

const portPolicy = (): Record<string, Schema> => ({
  connectionPool: connectionPool(),
  loadBalancer: loadBalancer(),
  outlierDetection: outlierDetection(),
  tls: clientTls(),
});

export const trafficPolicy = (): Schema =>
  obj({
    ...portPolicy(),
    portLevelSettings: plainList(obj({ ...portPolicy(), port: obj({ number: uint32 }) }), { maxItems: 4096 }),
    proxyProtocol: obj({ version: enumOf("V1", "V2") }),
    retryBudget: obj({ budgetInterval: str, minRetryConcurrency: uint32, percent }),
    tunnel: obj({ protocol: str, "targetHost!": str, "targetPort!": uint32 }),
  });
