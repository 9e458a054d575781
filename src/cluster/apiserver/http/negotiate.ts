import { JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE } from "./exchange.ts";
import { notAcceptable } from "./status.ts";

/** What shape the client wants objects in. */
export type Form = "object" | "table" | "partial" | "partial-list";

export interface Negotiated {
  form: Form;
  /** Of the Table or PartialObjectMetadata: v1 or v1beta1. */
  metaVersion: string;
  type: typeof JSON_TYPE | typeof YAML_TYPE;
  /** Indented, for people with curl or a browser. */
  pretty: boolean;
}

export interface MediaRange {
  type: string;
  params: Map<string, string>;
}

/** What can be asked for; protobuf is understood in requests but answered in JSON. */
const ACCEPTED = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE];

const FORMS: Record<string, Form> = { Table: "table", PartialObjectMetadata: "partial", PartialObjectMetadataList: "partial-list" };

/** Longer Accept headers are cut: each range costs work, and no client sends more than a handful. */
const MAX_RANGES = 32;

/** The first range of an Accept header that can be served; 406 if there is none. */
export function negotiate(accept: string | undefined, userAgent: string | undefined, prettyParam: string | null): Negotiated {
  const pretty = wantsPretty(userAgent, prettyParam);
  for (const { type, params } of parseAccept(accept ?? "*/*")) {
    const plain = type === JSON_TYPE || type === "*/*" || type === "application/*" || type === PROTOBUF_TYPE;
    if (!plain && type !== YAML_TYPE) continue;
    const as = params.get("as");
    const form = as === undefined ? "object" : FORMS[as];
    if (!form) continue;
    if (form !== "object" && (params.get("g") !== "meta.k8s.io" || !/^v1(beta1)?$/.test(params.get("v") ?? ""))) continue;
    // A table in protobuf would have to be protobuf: the client offers JSON next.
    if (type === PROTOBUF_TYPE && form !== "object" && accept?.includes(JSON_TYPE)) continue;
    return { form, metaVersion: params.get("v") ?? "v1", type: type === YAML_TYPE ? YAML_TYPE : JSON_TYPE, pretty };
  }
  throw notAcceptable(ACCEPTED);
}

/** People get indented JSON, programs compact. */
export function wantsPretty(userAgent: string | undefined, prettyParam: string | null): boolean {
  return prettyParam === null ? /^(curl|Wget|Mozilla)\//.test(userAgent ?? "") : prettyParam !== "false" && prettyParam !== "0";
}

export function parseAccept(accept: string): readonly MediaRange[] {
  let ranges = parsed.get(accept);
  if (!ranges) {
    ranges = accept
      .split(",", MAX_RANGES)
      .map(parseMediaType)
      .filter((range) => range.params.get("q") !== "0");
    if (parsed.size >= MAX_PARSED) parsed.clear();
    parsed.set(accept, ranges);
  }
  return ranges;
}

/** Clients have a handful of Accept headers between them; whoever makes up others only makes this forget. */
const MAX_PARSED = 64;
const parsed = new Map<string, readonly MediaRange[]>();

/** `application/json; as=Table; v=v1` */
export function parseMediaType(text: string): MediaRange {
  const [type = "", ...parts] = text.split(";", MAX_RANGES);
  const params = new Map<string, string>();
  for (const part of parts) {
    const at = part.indexOf("=");
    if (at > 0)
      params.set(
        part.slice(0, at).trim().toLowerCase(),
        part
          .slice(at + 1)
          .trim()
          .replace(/^"(.*)"$/, "$1"),
      );
  }
  return { type: type.trim().toLowerCase(), params };
}
