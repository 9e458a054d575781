import { describe, expect, test } from "bun:test";
import { toJson, type JsonObject } from "@bufbuild/protobuf";
import { unpackAny } from "../../proto/index.ts";
import { RBACSchema } from "../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
import { RBACSchema as NetworkRbacSchema } from "../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts";
import type { AuthorizationPolicy, AuthorizationPolicySpec } from "../../resources/index.ts";
import { authorizationFilters, customFilters, selectAuthorization, type AuthorizationContext } from "./authorization.ts";
import type { FilterConfig } from "./filter.ts";

const CONTEXT: AuthorizationContext = { trustDomains: ["cluster.local"], providers: { extensionProviders: [], findCluster: () => undefined } };
const WEB = { namespace: "shop", labels: { app: "web" } };

describe("which policies hold", () => {
  test("the workload's namespace's and the root's, as far as they select", () => {
    const selected = select(
      policy("own", { namespace: "shop" }),
      policy("other", { namespace: "bank" }),
      policy("root", { namespace: "istio-system" }),
      policy("unfit", { namespace: "shop", spec: { selector: { matchLabels: { app: "db" } } } }),
    );
    expect(selected.allow.map(({ metadata }) => metadata.name)).toEqual(["own", "root"]);
  });

  test("those for a Gateway API target leave workloads alone", () => {
    expect(
      select(policy("target", { namespace: "shop", spec: { targetRefs: [{ kind: "Gateway", group: "gateway.networking.k8s.io", name: "g" }] } })).allow,
    ).toEqual([]);
  });

  test("audit, then deny, then allow", () => {
    const filters = authorizationFilters(
      select(policy("a"), policy("d", { spec: { action: "DENY", rules: [{}] } }), policy("l", { spec: { action: "AUDIT", rules: [{}] } })),
      CONTEXT,
      "http",
    );
    expect(filters.map((filter) => rules(filter)["action"] ?? "ALLOW")).toEqual(["LOG", "DENY", "ALLOW"]);
  });
});

describe("what cannot be said lets less through", () => {
  test("ALLOW without rules allows nothing", () => {
    const [filter] = authorizationFilters(select(policy("nothing")), CONTEXT, "http");
    expect(rules(filter)["policies"]).toEqual({
      "ns[shop]-policy[nothing]-rule[0]": { permissions: [{ notRule: { any: true } }], principals: [{ notId: { any: true } }] },
    });
  });

  test("an ALLOW rule about HTTP allows no TCP at all, a DENY rule loses only what TCP has not", () => {
    const spec: AuthorizationPolicySpec = { rules: [{ to: [{ operation: { methods: ["GET"], ports: ["80"] } }] }] };
    const [allow] = authorizationFilters(select(policy("a", { spec })), CONTEXT, "tcp");
    expect(rules(allow, true)["policies"] ?? {}).toEqual({});
    const [deny] = authorizationFilters(select(policy("d", { spec: { ...spec, action: "DENY" } })), CONTEXT, "tcp");
    expect(JSON.stringify(rules(deny, true))).toContain('"destinationPort":80');
    expect(JSON.stringify(rules(deny, true))).not.toContain("method");
  });

  test("CUSTOM with a provider that is not defined denies what it matches", () => {
    const [filter, ...others] = customFilters(select(policy("c", { spec: { action: "CUSTOM", provider: { name: "gone" }, rules: [{}] } })), CONTEXT, "http");
    expect(others).toEqual([]);
    expect(rules(filter)["action"]).toBe("DENY");
    expect(Object.keys(rules(filter)["policies"] as JsonObject)).toEqual(["istio-ext-authz-gone-ns[shop]-policy[c]-rule[0]-deny-due-to-bad-CUSTOM-action"]);
  });

  test("a dry run decides nothing", () => {
    const dry = policy("dry", { spec: { action: "DENY", rules: [{}] }, annotations: { "istio.io/dry-run": "true" } });
    const [filter] = authorizationFilters(select(dry), CONTEXT, "http");
    const rbac = filter && unpackAny(RBACSchema, filter.typedConfig);
    expect(rbac?.rules).toBeUndefined();
    expect(rbac?.shadowRules).toBeDefined();
  });
});

function select(...policies: AuthorizationPolicy[]) {
  return selectAuthorization(policies, WEB, "istio-system");
}

function policy(
  name: string,
  { namespace = "shop", spec = {}, annotations }: { namespace?: string; spec?: AuthorizationPolicySpec; annotations?: Record<string, string> } = {},
): AuthorizationPolicy {
  return { apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy", metadata: { name, namespace, ...(annotations && { annotations }) }, spec };
}

function rules(filter: FilterConfig | undefined, network = false): JsonObject {
  const schema = network ? NetworkRbacSchema : RBACSchema;
  const message = filter && unpackAny(schema, filter.typedConfig);
  const json = message ? (toJson(schema, message) as JsonObject) : {};
  return (json["rules"] ?? {}) as JsonObject;
}
