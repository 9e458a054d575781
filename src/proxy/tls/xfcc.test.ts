import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import {
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  HttpConnectionManager_SetCurrentClientCertDetailsSchema as Details,
} from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { HeaderMap } from "../http/header-map.ts";
import { ConnectionInfo, type PeerCertificate } from "../net/connection-info.ts";
import { compileXfcc } from "./xfcc.ts";

const peer: PeerCertificate = { uriSans: ["spiffe://td/a"], dnsSans: ["a.b"], subject: "CN=a,O=b", issuer: "", serialNumber: "1", sha256: "ff", pem: "P E" };

function header(mode: Forward, options: { peer?: PeerCertificate; sent?: string } = {}): string | undefined {
  const connection = new ConnectionInfo({ address: "10.0.0.1", port: 1 }, { address: "10.0.0.2", port: 2 });
  if (options.peer) connection.tls = { version: "TLSv1.3", cipher: "", alpn: "", resumed: false, peer: options.peer, localUriSans: ["spiffe://td/us"] };
  const headers = HeaderMap.from(options.sent === undefined ? [] : [["x-forwarded-client-cert", options.sent]]);
  compileXfcc(mode, create(Details, { subject: true, uri: true, dns: true, cert: true }))(headers, connection);
  return headers.get("x-forwarded-client-cert");
}

const OWN = 'By=spiffe://td/us;Hash=ff;Cert="P%20E";Subject="CN=a,O=b";URI=spiffe://td/a;DNS=a.b';

test("each mode, with and without a client certificate", () => {
  expect(header(Forward.SANITIZE, { peer, sent: "x" })).toBeUndefined();
  expect(header(Forward.FORWARD_ONLY, { peer, sent: "x" })).toBe("x");
  expect(header(Forward.FORWARD_ONLY, { sent: "x" })).toBeUndefined();
  expect(header(Forward.APPEND_FORWARD, { peer, sent: "x" })).toBe(`x,${OWN}`);
  expect(header(Forward.APPEND_FORWARD, { peer })).toBe(OWN);
  expect(header(Forward.APPEND_FORWARD, { sent: "x" })).toBeUndefined();
  expect(header(Forward.SANITIZE_SET, { peer, sent: "x" })).toBe(OWN);
  expect(header(Forward.SANITIZE_SET, { sent: "x" })).toBeUndefined();
  expect(header(Forward.ALWAYS_FORWARD_ONLY, { sent: "x" })).toBe("x");
});
