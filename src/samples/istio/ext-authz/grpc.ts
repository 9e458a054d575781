import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { AttributeContextSchema } from "../../../proto/gen/envoy/service/auth/v3/attribute_context_pb.ts";
import { CheckRequestSchema, CheckResponseSchema, type CheckRequest, type CheckResponse } from "../../../proto/gen/envoy/service/auth/v3/external_auth_pb.ts";
import { StatusCode } from "../../../proto/gen/envoy/type/v3/http_status_pb.ts";
import { CHECK_HEADER, DENIED_BODY, GRPC_OVERRIDE, OVERRIDE_HEADER, RECEIVED_HEADER, RESULT_HEADER, decide, described } from "./decision.ts";

/** The check as `envoy.service.auth.v3.Authorization`. Resolves with the port when it is served. */
export async function serveGrpcCheck(port: number, serviceAccount: string, print: (line: string) => void): Promise<{ readonly port: number; stop(): void }> {
  const server = new Server();
  server.addService(
    {
      Check: {
        path: "/envoy.service.auth.v3.Authorization/Check",
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
        requestSerialize: (message: CheckRequest) => Buffer.from(toBinary(CheckRequestSchema, message)),
        responseSerialize: (message: CheckResponse) => Buffer.from(toBinary(CheckResponseSchema, message)),
        responseDeserialize: (bytes: Buffer) => fromBinary(CheckResponseSchema, bytes),
      },
    },
    {
      Check: (call: { request: CheckRequest }, callback: (error: null, response: CheckResponse) => void) =>
        callback(null, check(call.request, serviceAccount, print)),
    },
  );
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`0.0.0.0:${port}`, ServerCredentials.createInsecure(), (error, actual) => (error ? reject(error) : resolve(actual)));
  });
  return { port: bound, stop: () => server.forceShutdown() };
}

/** One check: the answer with its headers, allowed or denied. */
export function check({ attributes }: CheckRequest, serviceAccount: string, print: (line: string) => void): CheckResponse {
  const http = attributes?.request?.http;
  const allowed = decide(http?.headers[CHECK_HEADER], attributes?.source?.principal, serviceAccount);
  const result = allowed ? "allowed" : "denied";
  // Metadata may hold messages of any type, which have no JSON here.
  const text = attributes ? toJsonString(AttributeContextSchema, { ...attributes, metadataContext: undefined, routeMetadataContext: undefined }) : "{}";
  print(`[gRPCv3][${result}]: ${http?.host ?? ""}${http?.path ?? ""}, attributes: ${text}`);
  const headers = Object.entries({ [RESULT_HEADER]: result, [RECEIVED_HEADER]: described(text), [OVERRIDE_HEADER]: GRPC_OVERRIDE }).map(([key, value]) => ({
    header: { key, value },
  }));
  return allowed
    ? create(CheckResponseSchema, { status: { code: status.OK }, httpResponse: { case: "okResponse", value: { headers } } })
    : create(CheckResponseSchema, {
        status: { code: status.PERMISSION_DENIED },
        httpResponse: { case: "deniedResponse", value: { status: { code: StatusCode.Forbidden }, body: DENIED_BODY, headers } },
      });
}
