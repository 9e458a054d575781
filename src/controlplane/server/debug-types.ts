import { toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { ClientConfigSchema } from "../../proto/gen/envoy/service/status/v3/csds_pb.ts";
import { TYPE_URL_PREFIX } from "../../proto/index.ts";
import type { Caller } from "../ca/index.ts";
import { controlPlaneIdentifier } from "../debug/identifier.ts";
import { clientConfig } from "../debug/sync-status.ts";
import { proxyName, type ConnectionView } from "../debug/views.ts";
import type { XdsResource } from "../xds/types.ts";
import { XdsError } from "./errors.ts";

/** istioctl asks istiod about itself over xDS, with types of its own. Answered once, never pushed. */
export interface DebugTypes {
  serves(typeUrl: string): boolean;
  /** Throws XDS_PERMISSION_DENIED unless the caller's service account is one of istiod's namespace. */
  answer(typeUrl: string, names: readonly string[], caller: Caller | undefined): Promise<{ resources: XdsResource[]; identifier: string }>;
}

export interface DebugTypesOptions {
  connections(): Iterable<ConnectionView>;
  /** What istiod would send the proxy, as parts of a config dump. */
  configDump(connection: ConnectionView): Any[];
  /** The body of `/debug/<path>`. */
  page(path: string): Promise<string>;
  podName: string;
  namespace: string;
}

const SYNC = "istio.io/debug/syncz";
const DUMP = "istio.io/debug/config_dump";
const PAGE = "istio.io/debug";

export function createDebugTypes(options: DebugTypesOptions): DebugTypes {
  const identifier = controlPlaneIdentifier(options.podName);
  return {
    serves: (typeUrl) => typeUrl === SYNC || typeUrl === DUMP || typeUrl === PAGE,
    async answer(typeUrl, names, caller) {
      if (caller?.id.namespace !== options.namespace) {
        throw new XdsError("XDS_PERMISSION_DENIED", `the debug API is open to service accounts of ${options.namespace} only`);
      }
      return { identifier, resources: await resources(typeUrl, names, options) };
    },
  };
}

async function resources(typeUrl: string, names: readonly string[], options: DebugTypesOptions): Promise<XdsResource[]> {
  if (typeUrl === SYNC) {
    return [...options.connections()]
      .filter((connection) => names.length === 0 || names.includes(proxyName(connection)))
      .map((connection) => ({
        name: proxyName(connection),
        typeUrl: TYPE_URL_PREFIX + ClientConfigSchema.typeName,
        version: "",
        value: toBinary(ClientConfigSchema, clientConfig(connection)),
      }));
  }
  if (typeUrl === DUMP) {
    if (names.length !== 1) throw new XdsError("XDS_INVALID_REQUEST", "a config dump is asked for with exactly one proxy's name");
    const connection = [...options.connections()].find((candidate) => proxyName(candidate) === names[0]);
    if (!connection) throw new XdsError("XDS_INVALID_REQUEST", `the proxy ${names[0]} is not connected to this control plane`);
    return options.configDump(connection).map((part) => ({ name: "", typeUrl: part.typeUrl, version: "", value: part.value }));
  }
  const [path] = names;
  if (names.length !== 1 || !path) throw new XdsError("XDS_INVALID_REQUEST", "exactly one debug page is asked for at a time");
  return [{ name: path, typeUrl: PAGE, version: "", value: new TextEncoder().encode(await options.page(path)) }];
}
