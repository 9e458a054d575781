import type { Script } from "../types.ts";
import { as, cluster, configMap, del, get, mergePatch, ns, object, pause, post, put, script, setup } from "./dsl.ts";

const RBAC = "rbac.authorization.k8s.io/v1";
const rbac = (kind: string, name: string, rest: object): object => object(RBAC, kind, name, rest);
const AUTHZ = "authorization.k8s.io/v1";
const review = (kind: string, spec: object): object => ({ apiVersion: AUTHZ, kind, spec });
const SAR = cluster(`${AUTHZ}/subjectaccessreviews`);
const SELF = cluster(`${AUTHZ}/selfsubjectaccessreviews`);
const AUTHN = "authentication.k8s.io/v1";
const TR = cluster(`${AUTHN}/tokenreviews`);

/** Roles, reviews and tokens. */
export const accessScripts: readonly Script[] = [
  script("rbac", [
    setup(
      post(
        "role",
        ns(`${RBAC}/roles`),
        rbac("Role", "reader", {
          rules: [
            { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list"] },
            { apiGroups: [""], resources: ["pods"], resourceNames: ["p"], verbs: ["get"] },
            { apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["*"] },
          ],
        }),
      ),
    ),
    setup(
      post(
        "binding",
        ns(`${RBAC}/rolebindings`),
        rbac("RoleBinding", "reader", {
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
          subjects: [{ kind: "User", name: "bob", apiGroup: "rbac.authorization.k8s.io" }],
        }),
      ),
    ),
    pause(700),
    get("what is allowed", ns("configmaps", "x"), { headers: as("bob") }),
    get("what is not allowed", ns("secrets"), { headers: as("bob") }),
    get("in another namespace", "/api/v1/namespaces/default/configmaps", { headers: as("bob") }),
    get("of a name", ns("pods", "p"), { headers: as("bob") }),
    get("of another name", ns("pods", "q"), { headers: as("bob") }),
    get("of all where a name is allowed", `${ns("pods")}?fieldSelector=metadata.name%3Dp`, { headers: as("bob") }),
    get("of a subresource", ns("apps/v1/deployments", "d/scale"), { headers: as("bob") }),
    get("of the resource itself", ns("apps/v1/deployments", "d"), { headers: as("bob") }),
    post(
      "review of what is allowed",
      SAR,
      review("SubjectAccessReview", { user: "bob", resourceAttributes: { namespace: "{ns}", verb: "get", resource: "configmaps" } }),
    ),
    post(
      "review of what is not allowed",
      SAR,
      review("SubjectAccessReview", { user: "bob", resourceAttributes: { namespace: "{ns}", verb: "delete", resource: "configmaps" } }),
    ),
    post(
      "review of a group",
      SAR,
      review("SubjectAccessReview", { groups: ["system:masters"], user: "x", resourceAttributes: { verb: "*", resource: "*", group: "*" } }),
    ),
    post("review of a path", SAR, review("SubjectAccessReview", { user: "bob", nonResourceAttributes: { path: "/metrics", verb: "get" } })),
    post("review without a subject", SAR, review("SubjectAccessReview", { resourceAttributes: { verb: "get", resource: "pods" } })),
    post("review without a question", SAR, review("SubjectAccessReview", { user: "bob" })),
    post(
      "review with two questions",
      SAR,
      review("SubjectAccessReview", { user: "bob", resourceAttributes: { verb: "get" }, nonResourceAttributes: { path: "/" } }),
    ),
    post("review with a name", SAR, { ...review("SubjectAccessReview", { user: "bob", resourceAttributes: { verb: "get" } }), metadata: { name: "x" } }),
    post(
      "local review",
      ns(`${AUTHZ}/localsubjectaccessreviews`),
      review("LocalSubjectAccessReview", { user: "bob", resourceAttributes: { namespace: "{ns}", verb: "get", resource: "configmaps" } }),
    ),
    post(
      "local review of another namespace",
      ns(`${AUTHZ}/localsubjectaccessreviews`),
      review("LocalSubjectAccessReview", { user: "bob", resourceAttributes: { namespace: "other", verb: "get", resource: "configmaps" } }),
    ),
    post(
      "local review of a path",
      ns(`${AUTHZ}/localsubjectaccessreviews`),
      review("LocalSubjectAccessReview", { user: "bob", nonResourceAttributes: { path: "/" } }),
    ),
    post("own review", SELF, review("SelfSubjectAccessReview", { resourceAttributes: { namespace: "{ns}", verb: "get", resource: "pods" } })),
    post(
      "own review as another",
      SELF,
      review("SelfSubjectAccessReview", { resourceAttributes: { namespace: "{ns}", verb: "list", resource: "configmaps" } }),
      { headers: as("bob", "system:authenticated") },
    ),
    post("own review of nothing", SELF, review("SelfSubjectAccessReview", {})),
    post("own rules", cluster(`${AUTHZ}/selfsubjectrulesreviews`), review("SelfSubjectRulesReview", { namespace: "{ns}" }), { headers: as("bob") }),
    post("own rules of an administrator", cluster(`${AUTHZ}/selfsubjectrulesreviews`), review("SelfSubjectRulesReview", { namespace: "{ns}" }), {
      headers: as("x", "system:masters"),
    }),
    post("own rules without a namespace", cluster(`${AUTHZ}/selfsubjectrulesreviews`), review("SelfSubjectRulesReview", {})),
    post("own name", cluster(`${AUTHN}/selfsubjectreviews`), { apiVersion: AUTHN, kind: "SelfSubjectReview" }, { headers: as("bob", "g") }),
    get("reviews cannot be listed", SAR),
    post("escalation", ns(`${RBAC}/roles`), rbac("Role", "more", { rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }] }), {
      headers: as("bob"),
    }),
    setup(
      post(
        "editor",
        ns(`${RBAC}/roles`),
        rbac("Role", "editor", {
          rules: [{ apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: ["create", "update", "patch"] }],
        }),
      ),
    ),
    setup(
      post(
        "editor's binding",
        ns(`${RBAC}/rolebindings`),
        rbac("RoleBinding", "editor", {
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "editor" },
          subjects: [{ kind: "User", name: "eve", apiGroup: "rbac.authorization.k8s.io" }],
        }),
      ),
    ),
    pause(700),
    post("escalation by a role", ns(`${RBAC}/roles`), rbac("Role", "more", { rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }] }), {
      headers: as("eve"),
    }),
    post(
      "escalation by a binding",
      ns(`${RBAC}/rolebindings`),
      rbac("RoleBinding", "more", {
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
        subjects: [{ kind: "User", name: "eve", apiGroup: "rbac.authorization.k8s.io" }],
      }),
      { headers: as("eve") },
    ),
    post(
      "escalation to a role that is missing",
      ns(`${RBAC}/rolebindings`),
      rbac("RoleBinding", "more", { roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "missing" }, subjects: [] }),
      { headers: as("eve") },
    ),
    mergePatch("another role of a binding", ns(`${RBAC}/rolebindings`, "reader"), { roleRef: { name: "x" } }),
    get("cluster-admin", cluster(`${RBAC}/clusterroles`, "cluster-admin")),
    get("view's aggregation", cluster(`${RBAC}/clusterroles`, "view"), { only: (body) => (body as { aggregationRule?: unknown }).aggregationRule ?? "" }),
    get("cluster-admin's binding", cluster(`${RBAC}/clusterrolebindings`, "cluster-admin")),
    get("discovery's role", cluster(`${RBAC}/clusterroles`, "system:discovery")),
    get("basic users' role", cluster(`${RBAC}/clusterroles`, "system:basic-user")),
    get("public info's role", cluster(`${RBAC}/clusterroles`, "system:public-info-viewer")),
  ]),
  script("tokens", [
    setup(post("pod", ns("pods"), object("v1", "Pod", "p", { spec: { containers: [{ name: "c", image: "i:1" }] } }), { save: { podUid: "metadata.uid" } })),
    setup(post("secret", ns("secrets"), object("v1", "Secret", "s"), { save: { secretUid: "metadata.uid" } })),
    post("request", ns("serviceaccounts", "default/token"), object(AUTHN, "TokenRequest", "", { spec: {} }), { save: { token: "status.token" } }),
    post(
      "of an audience",
      ns("serviceaccounts", "default/token"),
      { apiVersion: AUTHN, kind: "TokenRequest", spec: { audiences: ["a"], expirationSeconds: 3600 } },
      { save: { other: "status.token" } },
    ),
    post("that is too short", ns("serviceaccounts", "default/token"), { apiVersion: AUTHN, kind: "TokenRequest", spec: { expirationSeconds: 599 } }),
    post("that is too long", ns("serviceaccounts", "default/token"), { apiVersion: AUTHN, kind: "TokenRequest", spec: { expirationSeconds: 4294967297 } }),
    post(
      "bound to a pod",
      ns("serviceaccounts", "default/token"),
      { apiVersion: AUTHN, kind: "TokenRequest", spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } } },
      { save: { bound: "status.token" } },
    ),
    post("bound to a pod's uid", ns("serviceaccounts", "default/token"), {
      apiVersion: AUTHN,
      kind: "TokenRequest",
      spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid: "{{podUid}}" } },
    }),
    post("bound to another uid", ns("serviceaccounts", "default/token"), {
      apiVersion: AUTHN,
      kind: "TokenRequest",
      spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid: "5d5e8465-0ecb-440a-b176-68d16c81b106" } },
    }),
    post("bound to a pod that is missing", ns("serviceaccounts", "default/token"), {
      apiVersion: AUTHN,
      kind: "TokenRequest",
      spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "none" } },
    }),
    post("bound to a secret", ns("serviceaccounts", "default/token"), {
      apiVersion: AUTHN,
      kind: "TokenRequest",
      spec: { boundObjectRef: { kind: "Secret", apiVersion: "v1", name: "s" } },
    }),
    post("bound to what cannot be", ns("serviceaccounts", "default/token"), {
      apiVersion: AUTHN,
      kind: "TokenRequest",
      spec: { boundObjectRef: { kind: "ConfigMap", apiVersion: "v1", name: "s" } },
    }),
    post("of an account that is missing", ns("serviceaccounts", "none/token"), { apiVersion: AUTHN, kind: "TokenRequest", spec: {} }),
    post("with another name", ns("serviceaccounts", "default/token"), object(AUTHN, "TokenRequest", "other", { spec: {} })),
    post("without a body", ns("serviceaccounts", "default/token"), ""),
    post("review", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: { token: "{{token}}" } }),
    post("review of another audience", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: { token: "{{other}}" } }),
    post("review for the audience", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: { token: "{{other}}", audiences: ["a", "b"] } }),
    post("review for a wrong audience", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: { token: "{{token}}", audiences: ["b"] } }),
    post("review of a bound token", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: { token: "{{bound}}" } }),
    post("review of nonsense", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: { token: "nonsense" } }),
    post("review of nothing", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: {} }),
    post("review with a name", TR, { apiVersion: AUTHN, kind: "TokenReview", metadata: { name: "x" }, spec: { token: "x" } }),
    setup(del("pod goes", ns("pods", "p"), { gracePeriodSeconds: 0 })),
    post("review after the pod", TR, { apiVersion: AUTHN, kind: "TokenReview", spec: { token: "{{bound}}" } }),
    get("tokens cannot be read", ns("serviceaccounts", "default/token")),
    get("issuer", "/.well-known/openid-configuration", { only: (body) => ({ ...(body as object), jwks_uri: "" }) }),
  ]),
  script("admission policies", [
    setup(
      post(
        "policy",
        cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicies"),
        object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "admission-policies-p", {
          spec: {
            matchConstraints: {
              resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] }],
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "{ns}" } },
            },
            matchConditions: [{ name: "not-skipped", expression: "!has(object.metadata.labels) || !('skip' in object.metadata.labels)" }],
            variables: [{ name: "count", expression: "has(object.data) ? size(object.data) : 0" }],
            validations: [
              { expression: "variables.count < 3", message: "at most two" },
              { expression: "!has(object.data) || !('bad' in object.data)", messageExpression: "'bad is ' + object.data.bad", reason: "Forbidden" },
              { expression: "!has(object.data) || !('worse' in object.data)" },
            ],
          },
        }),
      ),
    ),
    setup(
      post(
        "binding",
        cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"),
        object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "admission-policies-b", {
          spec: { policyName: "admission-policies-p", validationActions: ["Deny"] },
        }),
      ),
    ),
    pause(2_500),
    post("allows", ns("configmaps"), configMap("a", { a: "1" })),
    post("denies", ns("configmaps"), configMap("b", { a: "1", b: "2", c: "3" })),
    post("denies in its own words", ns("configmaps"), configMap("b", { bad: "so bad" })),
    post("denies without words", ns("configmaps"), configMap("b", { worse: "x" })),
    post("denies for two reasons", ns("configmaps"), configMap("b", { worse: "x", bad: "y" })),
    post("is skipped", ns("configmaps"), configMap({ name: "c", labels: { skip: "1" } }, { bad: "x" })),
    mergePatch("denies an update", ns("configmaps", "a"), { data: { bad: "x" } }),
    post("denies a dry run", `${ns("configmaps")}?dryRun=All`, configMap("b", { bad: "x" })),
    setup(
      mergePatch("warn", cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", "admission-policies-b"), {
        spec: { validationActions: ["Warn", "Audit"] },
      }),
    ),
    pause(1_500),
    post("warns", ns("configmaps"), configMap("d", { bad: "x" })),
    setup(del("gone binding", cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", "admission-policies-b"))),
    setup(del("gone policy", cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicies", "admission-policies-p"))),
    ...(
      [
        [
          "refuses a bad expression",
          {
            matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }] },
            validations: [{ expression: "object.x ==" }],
          },
        ],
        [
          "refuses no validations",
          { matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }] } },
        ],
        ["refuses no constraints", { validations: [{ expression: "true" }] }],
        [
          "refuses an unknown failure policy",
          {
            failurePolicy: "Nope",
            matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }] },
            validations: [{ expression: "true" }],
          },
        ],
        [
          "refuses an empty expression",
          {
            matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }] },
            validations: [{ expression: "" }],
          },
        ],
        [
          "refuses unknown operations",
          {
            matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["NOPE"], resources: ["pods"] }] },
            validations: [{ expression: "true" }],
          },
        ],
      ] as [string, object][]
    ).map(([title, spec]) =>
      post(
        title,
        cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicies"),
        object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "bad", { spec }),
      ),
    ),
    post(
      "refuses a binding without a policy",
      cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"),
      object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "bad", { spec: { validationActions: ["Deny"] } }),
    ),
    post(
      "refuses a binding without actions",
      cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"),
      object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "bad", { spec: { policyName: "x" } }),
    ),
    post(
      "refuses a binding that denies and warns",
      cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"),
      object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "bad", { spec: { policyName: "x", validationActions: ["Deny", "Warn"] } }),
    ),
    post(
      "refuses unknown actions",
      cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"),
      object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "bad", { spec: { policyName: "x", validationActions: ["Nope"] } }),
    ),
    put(
      "nothing to update",
      cluster("admissionregistration.k8s.io/v1/validatingadmissionpolicies", "none"),
      object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "none", { spec: {} }),
    ),
  ]),
];
