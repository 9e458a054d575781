import type { MessageInitShape } from "@bufbuild/protobuf";
import { HeaderValueOption_HeaderAppendAction, type HeaderValueOptionSchema } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { HeaderOperations, Headers } from "../../../resources/index.ts";
import { compareText } from "../../registry/index.ts";

/** What a route does to headers, in the fields that routes, weighted clusters and virtual hosts share. */
export interface HeaderChanges {
  requestHeadersToAdd: MessageInitShape<typeof HeaderValueOptionSchema>[];
  requestHeadersToRemove: string[];
  responseHeadersToAdd: MessageInitShape<typeof HeaderValueOptionSchema>[];
  responseHeadersToRemove: string[];
}

/** The host header is not a header to Envoy: setting it is a rewrite. Empty when it stays. */
export function headerChanges(headers: Headers | undefined): { changes: HeaderChanges; authority: string } {
  const { request, response } = headers ?? {};
  return {
    changes: {
      requestHeadersToAdd: [
        ...added(request?.set, HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
        ...added(request?.add, HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD),
      ],
      requestHeadersToRemove: removed(request),
      responseHeadersToAdd: [
        ...added(response?.set, HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
        ...added(response?.add, HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD),
      ],
      responseHeadersToRemove: removed(response),
    },
    authority: authorityOf(request?.set) || authorityOf(request?.add),
  };
}

export function joinChanges(a: HeaderChanges, b: HeaderChanges): HeaderChanges {
  return {
    requestHeadersToAdd: [...a.requestHeadersToAdd, ...b.requestHeadersToAdd],
    requestHeadersToRemove: [...a.requestHeadersToRemove, ...b.requestHeadersToRemove],
    responseHeadersToAdd: [...a.responseHeadersToAdd, ...b.responseHeadersToAdd],
    responseHeadersToRemove: [...a.responseHeadersToRemove, ...b.responseHeadersToRemove],
  };
}

function added(
  values: Record<string, string> | undefined,
  appendAction: HeaderValueOption_HeaderAppendAction,
): MessageInitShape<typeof HeaderValueOptionSchema>[] {
  return Object.entries(values ?? {})
    .filter(([key]) => !isInternal(key))
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, value]) => ({ header: { key, value }, appendAction }));
}

function removed(operations: HeaderOperations | undefined): string[] {
  return (operations?.remove ?? []).filter((key) => !isInternal(key));
}

function authorityOf(values: Record<string, string> | undefined): string {
  return Object.entries(values ?? {}).find(([key]) => [":authority", "host"].includes(key.toLowerCase()))?.[1] ?? "";
}

function isInternal(key: string): boolean {
  return key.startsWith(":") || key.toLowerCase() === "host";
}
