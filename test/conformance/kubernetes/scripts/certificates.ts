import type { Script, Step } from "../types.ts";
import { as, cluster, del, get, mergePatch, object, pause, post, put, script, setup } from "./dsl.ts";

const GROUP = "certificates.k8s.io/v1";
const REQUESTS = cluster(`${GROUP}/certificatesigningrequests`);
const RBAC = "rbac.authorization.k8s.io/v1";
/** Of alice in the group dev, and of alice in system:masters; a certificate. All of one key. */
const ALICE =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWk1JR0FBZ0VBTUI0eEREQUtCZ05WQkFvTUEyUmxkakVPTUF3R0ExVUVBd3dGWVd4cFkyVXdXVEFUQmdjcQpoa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVRVYWdBYnNNd255bGJaSC9aZ0tZejUrZVBtbk5sVitTdUlkd3RjCjNqZVduM2lxbE9mS3R1ejdrb3lhUndxTjdCRkZxOGVaOHFSTWE0SmNpWmdCSmM5RW9BQXdDZ1lJS29aSXpqMEUKQXdJRFNBQXdSUUloQU9wcnR0djVDNUErMEtVQllpTFpBeFpIUmxiZXN4bmUwbmRMeEFuSFRoWEtBaUJobmdwTApJRDRFSkFOdHpUQ3NUVXNRL3puUG5Md2ZxTExuRUZZVnpiSTNTQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";
const MASTER =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIa01JR0xBZ0VBTUNreEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdFlYTjBaWEp6TVE0d0RBWURWUVFEREFWaApiR2xqWlRCWk1CTUdCeXFHU000OUFnRUdDQ3FHU000OUF3RUhBMElBQk5ScUFCdXd6Q2ZLVnRrZjltQXBqUG41CjQrYWMyVlg1SzRoM0MxemVONWFmZUtxVTU4cTI3UHVTakpwSENvM3NFVVdyeDVueXBFeHJnbHlKbUFFbHowU2cKQURBS0JnZ3Foa2pPUFFRREFnTklBREJGQWlBM2hpSVo4MUFlWTMxejNKTUxIelBKc1doM3NyRTRTTlllRGVCYgpOWlM5K0FJaEFMQUIzK1ZSR2Y3S2VpODZtL3A1YVZRcmdYUlNSSllDMVZHM0JHTlhXVWRvCi0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";
const CERTIFICATE =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJiRENDQVJPZ0F3SUJBZ0lVWGtoS01oNW5hWW1PclZEc0xHQm5ySGFuT3RFd0NnWUlLb1pJemowRUF3SXcKRERFS01BZ0dBMVVFQXd3QllUQWVGdzB5TmpFeE1qUXhPREV3TkRKYUZ3MHpOakV4TWpFeE9ERXdOREphTUF3eApDakFJQmdOVkJBTU1BV0V3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVRVYWdBYnNNd255bGJaCkgvWmdLWXo1K2VQbW5ObFYrU3VJZHd0YzNqZVduM2lxbE9mS3R1ejdrb3lhUndxTjdCRkZxOGVaOHFSTWE0SmMKaVpnQkpjOUVvMU13VVRBZEJnTlZIUTRFRmdRVVl4TFNFK0VqTkdyUmlnZmdHWnZqcEhKTkUyY3dId1lEVlIwagpCQmd3Rm9BVVl4TFNFK0VqTkdyUmlnZmdHWnZqcEhKTkUyY3dEd1lEVlIwVEFRSC9CQVV3QXdFQi96QUtCZ2dxCmhrak9QUVFEQWdOSEFEQkVBaUJKd2VKNHR5UFFYMGpSTmY5WW40VG05UkI3cnlrc1lOdnVBV212elpQRURnSWcKQmNicXgxNGVpU2VVUnBYcEFENXplU1NmNHp1d0oyVjdtYVhYVXZ5Q01yND0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";

const request = (name: string, spec: object = {}): object =>
  object(GROUP, "CertificateSigningRequest", name, { spec: { request: ALICE, signerName: "example.com/signer", usages: ["client auth"], ...spec } });
const approved = (type = "Approved", more: object = {}): object => ({ type, status: "True", reason: "R", message: "m", ...more });
const dry = `${REQUESTS}?dryRun=All`;
const bad = (title: string, spec: object): Step => post(title, dry, request("certificates-bad", spec));
const approval = `${REQUESTS}/certificates-a/approval`;
const status = `${REQUESTS}/certificates-a/status`;

/** Who may ask for certificates, approve and sign them, and what may be written where. */
export const certificateScripts: readonly Script[] = [
  script("certificates", [
    setup(del("rest of an earlier run", `${REQUESTS}/certificates-a`)),
    bad("without usages", { usages: [] }),
    bad("unknown usage", { usages: ["client auth", "nothing"] }),
    bad("usage twice", { usages: ["client auth", "client auth"] }),
    bad("without a signer", { signerName: "" }),
    bad("signer without a path", { signerName: "example.com" }),
    bad("signer with two paths", { signerName: "example.com/a/b" }),
    bad("signer of one label", { signerName: "example/a" }),
    bad("signer of a bad domain", { signerName: "Ex_.com/a" }),
    bad("signer of a bad path", { signerName: "example.com/A_" }),
    bad("legacy signer", { signerName: "kubernetes.io/legacy-unknown" }),
    bad("too short", { expirationSeconds: 599 }),
    bad("no request", { request: "" }),
    bad("a certificate for a request", { request: CERTIFICATE }),
    bad("of a superuser, by another signer", { request: MASTER }),
    bad("of a superuser", { request: MASTER, signerName: "kubernetes.io/kube-apiserver-client" }),
    post("create", REQUESTS, { ...request("certificates-a"), status: { conditions: [approved()] } }),
    mergePatch("spec does not change", `${REQUESTS}/certificates-a`, { spec: { usages: ["server auth"] }, metadata: { labels: { a: "b" } } }),
    mergePatch("no verdict by status", status, { status: { conditions: [approved()] } }),
    mergePatch("no certificate by approval", approval, { status: { certificate: CERTIFICATE } }),
    mergePatch("condition without a type", approval, { status: { conditions: [{ status: "True" }] } }),
    mergePatch("condition without a status", approval, { status: { conditions: [{ type: "X" }] } }),
    mergePatch("denied to an unknown degree", approval, { status: { conditions: [{ type: "Denied", status: "Unknown" }] } }),
    mergePatch("approved and denied", approval, { status: { conditions: [approved(), approved("Denied")] } }),
    mergePatch("approved twice", approval, { status: { conditions: [approved(), approved()] } }),
    setup(
      post(
        "role",
        cluster(`${RBAC}/clusterroles`),
        object(RBAC, "ClusterRole", "certificates-writer", {
          rules: [
            {
              apiGroups: ["certificates.k8s.io"],
              resources: ["certificatesigningrequests", "certificatesigningrequests/approval", "certificatesigningrequests/status"],
              verbs: ["*"],
            },
          ],
        }),
      ),
    ),
    setup(
      post(
        "binding",
        cluster(`${RBAC}/clusterrolebindings`),
        object(RBAC, "ClusterRoleBinding", "certificates-writer", {
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "certificates-writer" },
          subjects: [
            { kind: "User", name: "bob", apiGroup: "rbac.authorization.k8s.io" },
            { kind: "User", name: "eve", apiGroup: "rbac.authorization.k8s.io" },
          ],
        }),
      ),
    ),
    setup(
      post(
        "signer's role",
        cluster(`${RBAC}/clusterroles`),
        object(RBAC, "ClusterRole", "certificates-approver", {
          rules: [{ apiGroups: ["certificates.k8s.io"], resources: ["signers"], resourceNames: ["example.com/*"], verbs: ["approve"] }],
        }),
      ),
    ),
    setup(
      post(
        "signer's binding",
        cluster(`${RBAC}/clusterrolebindings`),
        object(RBAC, "ClusterRoleBinding", "certificates-approver", {
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "certificates-approver" },
          subjects: [{ kind: "User", name: "eve", apiGroup: "rbac.authorization.k8s.io" }],
        }),
      ),
    ),
    pause(700),
    mergePatch("approved by somebody who may only write", approval, { status: { conditions: [approved()] } }, { headers: as("bob") }),
    mergePatch("signed by somebody who may only write", status, { status: { certificate: CERTIFICATE } }, { headers: as("bob") }),
    mergePatch("signed by an approver", status, { status: { certificate: CERTIFICATE } }, { headers: as("eve") }),
    mergePatch("a condition that is no verdict, by an approver", status, { status: { conditions: [approved("Other")] } }, { headers: as("eve") }),
    mergePatch("nothing that counts, by an approver", status, { metadata: { annotations: { a: "b" } } }, { headers: as("eve") }),
    mergePatch("approved by an approver", approval, { status: { conditions: [approved()] } }, { headers: as("eve") }),
    mergePatch("approval is not taken back", approval, { status: { conditions: [] } }),
    mergePatch("not by status either", status, { status: { conditions: [] } }),
    mergePatch("nor denied after it", approval, { status: { conditions: [approved(), approved("Denied")] } }),
    mergePatch("no certificate", status, { status: { certificate: Buffer.from("x").toString("base64") } }),
    mergePatch("a request for a certificate", status, { status: { certificate: ALICE } }),
    mergePatch("signed", status, { status: { certificate: CERTIFICATE } }),
    mergePatch("another certificate", status, {
      status: { certificate: Buffer.from(`${Buffer.from(CERTIFICATE, "base64").toString()}\n`).toString("base64") },
    }),
    mergePatch("failed", status, { status: { conditions: [approved(), approved("Failed")] } }),
    put("written back without what is unknown to the client", status, {
      ...request("certificates-a"),
      status: { certificate: CERTIFICATE, conditions: [{ type: "Approved", status: "True" }, approved("Failed")] },
    }),
    get("afterwards", `${REQUESTS}/certificates-a`),
    del("delete", `${REQUESTS}/certificates-a`),
  ]),
];
