import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { RBACSchema } from "../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts";
import { ExprSchema } from "../../../proto/gen/google/api/expr/v1alpha1/syntax_pb.ts";
import { HeaderMap } from "../../http/header-map.ts";
import { ConnectionInfo } from "../../net/connection-info.ts";
import { StreamInfo } from "../../telemetry/stream-info.ts";
import { celText } from "../../match/cel-text.ts";
import { RbacEngine } from "./engine.ts";

const ident = (name: string): JsonObject => ({ identExpr: { name } });
const select = (operand: JsonObject, field: string): JsonObject => ({ selectExpr: { operand, field } });
const text = (stringValue: string): JsonObject => ({ constExpr: { stringValue } });
const call = (name: string, args: JsonObject[], target?: JsonObject): JsonObject => ({ callExpr: { function: name, args, ...(target && { target }) } });
const header = (name: string): JsonObject => call("_[_]", [select(ident("request"), "headers"), text(name)]);

function allowed(condition: JsonObject, headers: Record<string, string>, path = "/a"): boolean {
  const rules = fromJson(RBACSchema, { action: "ALLOW", policies: { p: { permissions: [{ any: true }], principals: [{ any: true }], condition } } });
  const info = new StreamInfo(new ConnectionInfo({ address: "10.0.0.1", port: 80 }, { address: "10.0.0.2", port: 5000 }), 0, 0);
  info.request = {
    method: "GET",
    path,
    authority: "h",
    scheme: "http",
    protocol: "HTTP/1.1",
    headers: HeaderMap.from(Object.entries(headers)),
    upgrade: undefined,
  };
  return new RbacEngine(rules).judge(info).allowed;
}

test("a policy's condition counts beside its permissions and principals", () => {
  const isAdmin = call("_==_", [header("x-role"), text("admin")]);
  expect([allowed(isAdmin, { "x-role": "admin" }), allowed(isAdmin, { "x-role": "user" })]).toEqual([true, false]);
  // What cannot be evaluated does not match.
  expect(allowed(isAdmin, {})).toBe(false);
  const either = call("_||_", [isAdmin, call("startsWith", [text("/open")], select(ident("request"), "path"))]);
  expect([allowed(either, { "x-role": "user" }, "/open/x"), allowed(either, { "x-role": "user" }, "/x")]).toEqual([true, false]);
  const listed = call("@in", [header("x-role"), { listExpr: { elements: [text("a"), text("b")] } }]);
  expect([allowed(listed, { "x-role": "b" }), allowed(listed, { "x-role": "c" })]).toEqual([true, false]);
  expect(allowed(call("!_", [isAdmin]), { "x-role": "user" })).toBe(true);
});

test("expressions as text: names and strings cannot break out of it", () => {
  const written = (json: JsonObject): string => celText(fromJson(ExprSchema, json));
  expect(written(call("_==_", [header('a"]) || true || (b["'), text('"')]))).toBe('(request.headers["a\\"]) || true || (b[\\""] == "\\"")');
  expect(written({ selectExpr: { operand: ident("request"), field: "id", testOnly: true } })).toBe("has(request.id)");
  expect(written(call("_?_:_", [{ constExpr: { boolValue: true } }, { constExpr: { int64Value: "1" } }, { constExpr: { doubleValue: 2 } }]))).toBe(
    "(true ? 1 : 2.0)",
  );
  expect(() => written(ident("a || true"))).toThrow("is not a CEL name");
  expect(() => written({ comprehensionExpr: {} })).toThrow("CEL expression comprehensionExpr is not supported");
});
