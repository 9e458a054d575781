import { expect, test } from "bun:test";
import { createLogger } from "../../base/index.ts";
import type { PeerMetadata } from "../../proxy/telemetry/peer-metadata.ts";
import { RequestCounter } from "./request-counter.ts";

const SLEEP: PeerMetadata = {
  workload: "sleep",
  namespace: "a",
  cluster: "Kubernetes",
  canonicalName: "sleep",
  canonicalRevision: "latest",
  app: "sleep",
  version: "",
};
const NODE = {
  WORKLOAD_NAME: "web",
  NAMESPACE: "b",
  CLUSTER_ID: "Kubernetes",
  ISTIO_VERSION: "1",
  LABELS: { app: "web", "service.istio.io/canonical-name": "web", "service.istio.io/canonical-revision": "v1" },
};
const ID = { peerId: "spiffe://cluster.local/ns/a/sa/sleep", ownId: "spiffe://cluster.local/ns/b/sa/web" };
const SERVICES = [{ host: "web.b.svc.cluster.local", name: "web", namespace: "b" }];

function counter() {
  const logs: string[] = [];
  const made = new RequestCounter(
    NODE,
    { find: (address, found) => found(address === "10.0.0.1" ? SLEEP : undefined) },
    createLogger("t", { write: (line) => void logs.push(line) }),
  );
  const count = (...lines: object[]): void => lines.forEach((line) => made.line(JSON.stringify(line)));
  /** The series of a metric, as sets of labels without those that say "unknown". */
  const series = (name: string): { labels: Record<string, string>; value: number }[] =>
    made
      .prometheus()
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`))
      .map((line) => ({
        labels: Object.fromEntries([...line.matchAll(/(\w+)="([^"]*)"/g)].flatMap(([, key, value]) => (value === "unknown" ? [] : [[key, value]]))) as Record<
          string,
          string
        >,
        value: Number(line.slice(line.lastIndexOf(" "))),
      }));
  return { made, count, series, logs };
}

test("a request over mutual TLS is counted by the server with both ends", () => {
  const { count, series } = counter();
  const line = {
    kind: "http",
    class: "inbound",
    flags: "-",
    sourceIp: "10.0.0.1",
    status: 200,
    milliseconds: 3,
    received: 10,
    sent: 20,
    requestHead: 100,
    responseHead: 50,
    cluster: "inbound|8081||",
    services: SERVICES,
    authority: "web",
    ...ID,
  };
  count(line, line);
  expect(series("istio_requests_total")).toMatchObject([
    {
      value: 2,
      labels: {
        reporter: "destination",
        source_workload: "sleep",
        source_workload_namespace: "a",
        source_principal: ID.peerId,
        destination_workload: "web",
        destination_principal: ID.ownId,
        destination_service: "web.b.svc.cluster.local",
        destination_service_name: "web",
        request_protocol: "http",
        response_code: "200",
        response_flags: "-",
        connection_security_policy: "mutual_tls",
      },
    },
  ]);
  expect(series("istio_request_bytes_sum")[0]?.value).toBe(220);
  expect(series("istio_response_bytes_sum")[0]?.value).toBe(140);
});

test("plaintext counts as such; an address that is nobody's stays unknown", () => {
  const { count, series } = counter();
  count({ kind: "http", class: "inbound", sourceIp: "192.0.2.1", status: 403, cluster: "inbound|8081||", services: SERVICES });
  const [only] = series("istio_requests_total");
  expect(only?.labels).toMatchObject({ connection_security_policy: "none", response_code: "403" });
  expect(only?.labels).not.toHaveProperty("source_workload");
});

test("a client's request names the endpoint's workload and what it is called by", () => {
  const { count, series } = counter();
  const known = {
    kind: "http",
    class: "outbound",
    status: 200,
    cluster: "outbound|80||x.c.svc.cluster.local",
    services: [{ host: "x.c.svc.cluster.local", name: "x", namespace: "c" }],
    workload: "x-v1;c;x;v1;Kubernetes",
    upstreamPeerId: "spiffe://cluster.local/ns/c/sa/x",
    upstreamOwnId: ID.ownId,
  };
  count(
    known,
    { kind: "http", class: "outbound", status: 503, flags: "NR", authority: "nobody:80" },
    { ...known, contentType: "application/grpc+proto", grpcStatus: 14 },
  );
  expect(
    series("istio_requests_total").map(({ labels }) => [
      labels.reporter,
      labels.destination_workload,
      labels.destination_service,
      labels.destination_principal,
      labels.request_protocol,
      labels.grpc_response_status,
      labels.response_flags,
    ]),
  ).toEqual([
    ["source", "x-v1", "x.c.svc.cluster.local", "spiffe://cluster.local/ns/c/sa/x", "http", "", "-"],
    ["source", undefined, "nobody:80", undefined, "http", "", "NR"],
    ["source", "x-v1", "x.c.svc.cluster.local", "spiffe://cluster.local/ns/c/sa/x", "grpc", "14", "-"],
  ]);
});

test("a gateway takes no label from a stranger's host header", () => {
  const { count, series } = counter();
  count({ kind: "http", class: "gateway", status: 404, authority: "anything.example" });
  expect(series("istio_requests_total")[0]?.labels).not.toHaveProperty("destination_service");
});

test("bytes of a lasting connection are added as they come, its end counts once", () => {
  const { count, series } = counter();
  const tcp = { kind: "tcp", class: "inbound", connection: 7, sourceIp: "10.0.0.1", cluster: "inbound|3306||", services: SERVICES, ...ID };
  count({ ...tcp, moment: "TcpUpstreamConnected", received: 0, sent: 0 }, { ...tcp, moment: "TcpPeriodic", received: 100, sent: 10 });
  expect(series("istio_tcp_connections_opened_total")[0]?.value).toBe(1);
  expect(series("istio_tcp_connections_closed_total")[0]?.value).toBe(0);
  expect(series("istio_tcp_received_bytes_total")[0]?.value).toBe(100);
  count({ ...tcp, moment: "TcpConnectionEnd", flags: "-", received: 130, sent: 15 });
  expect(series("istio_tcp_received_bytes_total")[0]?.value).toBe(130);
  expect(series("istio_tcp_sent_bytes_total")[0]?.value).toBe(15);
  expect(series("istio_tcp_connections_opened_total")[0]?.value).toBe(1);
  expect(series("istio_tcp_connections_closed_total")[0]?.value).toBe(1);
});

test("who is not let in is counted with the reason", () => {
  const { count, series } = counter();
  const line = { kind: "listener", class: "inbound", sourceIp: "10.0.0.9", port: 8081 };
  count(
    { ...line, flags: "NR", transportFailure: "TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end" },
    { ...line, transportFailure: "TLS_error:|268435648:SSL_routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE:TLS_error_end" },
    {
      ...line,
      transportFailure: "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: X509_verify_cert:TLS_error_end",
    },
    { ...line, transportFailure: "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: SAN matcher:TLS_error_end" },
    { ...line, transportFailure: "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end" },
    // Let in: what the inspector of first bytes says of plaintext is no refusal.
    { ...line, transportFailure: "TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end" },
    { ...line, flags: "-" },
    {
      kind: "tcp",
      class: "inbound",
      connection: 1,
      sourceIp: "10.0.0.9",
      port: 3306,
      moment: "TcpConnectionEnd",
      termination: "rbac_access_denied_matched_policy[none]",
    },
  );
  expect(series("chainmail_refused_connections_total").map(({ labels, value }) => `${labels.destination_port} ${labels.reason} ${value}`)).toEqual([
    "8081 filter_chain_not_found 1",
    "8081 peer_certificate_required 1",
    "8081 peer_not_trusted 1",
    "8081 peer_san_mismatch 1",
    "8081 tls_handshake_failed 1",
    "3306 rbac_access_denied 1",
  ]);
});

test("a broken line is told of once and harms nothing", () => {
  const { made, logs } = counter();
  for (const text of ["", "{", "null", "7", '"x"', '{"kind":']) made.line(text);
  expect(logs).toHaveLength(1);
});
