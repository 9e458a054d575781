import type { HttpConnectionManager_SetCurrentClientCertDetails } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { HttpConnectionManager_ForwardClientCertDetails as Forward } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { ConnectionInfo, TlsInfo } from "../net/connection-info.ts";

const HEADER = "x-forwarded-client-cert";

export type XfccMutation = (headers: HeaderMap, connection: ConnectionInfo) => void;

/** What an HTTP connection manager does to `x-forwarded-client-cert`, by its mode (Envoy's documentation of the header). */
export function compileXfcc(mode: Forward, details: HttpConnectionManager_SetCurrentClientCertDetails | undefined): XfccMutation {
  if (mode === Forward.ALWAYS_FORWARD_ONLY) return () => {};
  if (mode === Forward.SANITIZE) return (headers) => headers.remove(HEADER);
  const texts = new WeakMap<TlsInfo, string>();
  const current = (tls: TlsInfo): string => {
    let text = texts.get(tls);
    if (text === undefined) {
      text = describe(tls, details);
      texts.set(tls, text);
    }
    return text;
  };
  return (headers, { tls }) => {
    if (!tls?.peer) headers.remove(HEADER);
    else if (mode === Forward.APPEND_FORWARD) headers.appendToValue(HEADER, current(tls));
    else if (mode === Forward.SANITIZE_SET) headers.set(HEADER, current(tls));
  };
}

function describe(tls: TlsInfo, details: HttpConnectionManager_SetCurrentClientCertDetails | undefined): string {
  const { peer } = tls;
  if (!peer) return "";
  const parts = tls.localUriSans.map((uri) => `By=${uri}`);
  parts.push(`Hash=${peer.sha256}`);
  if (details?.cert) parts.push(`Cert="${encodeURIComponent(peer.pem)}"`);
  if (details?.chain) parts.push(`Chain="${encodeURIComponent(peer.pem)}"`);
  if (details?.subject ?? false) parts.push(`Subject="${peer.subject.replace(/["\\]/g, "\\$&")}"`);
  if (details?.uri) parts.push(...(peer.uriSans.length > 0 ? peer.uriSans : [""]).map((uri) => `URI=${uri}`));
  if (details?.dns) parts.push(...peer.dnsSans.map((name) => `DNS=${name}`));
  return parts.join(";");
}
