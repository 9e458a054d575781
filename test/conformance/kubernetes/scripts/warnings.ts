import type { Script, Step } from "../types.ts";
import { ns, object, pod, post, script } from "./dsl.ts";

const pem = (type: string) => Buffer.from(`-----BEGIN ${type}-----\nAAAA\n-----END ${type}-----\n`).toString("base64");
const secret = (title: string, crt: string, key: string): Step =>
  post(title, `${ns("secrets")}?dryRun=All`, object("v1", "Secret", "s", { type: "kubernetes.io/tls", data: { "tls.crt": crt, "tls.key": key } }), {
    only: () => "",
  });
const volume = (title: string, source: object): Step =>
  post(title, `${ns("pods")}?dryRun=All`, pod("p", { volumes: [{ name: "v", ...source }] }), { only: () => "" });
const items = (...paths: string[]) => ({ items: paths.map((path, index) => ({ key: `k${index}`, path })) });

/** What is taken with a word of advice. */
export const warningScripts: readonly Script[] = [
  script("warnings", [
    secret("a certificate of nothing", "", ""),
    secret("a key for a certificate", pem("EC PRIVATE KEY"), pem("EC PRIVATE KEY")),
    secret("a request for a certificate", pem("CERTIFICATE REQUEST"), pem("PRIVATE KEY")),
    secret("no key", pem("CERTIFICATE"), ""),
    secret("a certificate for a key", pem("CERTIFICATE"), pem("CERTIFICATE")),
    secret("a request for a key", pem("CERTIFICATE"), pem("CERTIFICATE REQUEST")),
    volume("files below each other", { configMap: { name: "c", ...items("a", "b/c", "b", "a/") } }),
    volume("files of a secret", { secret: { secretName: "s", ...items("x/y", "x/y/z") } }),
    volume("files of the pod", {
      downwardAPI: {
        items: [
          { path: "a", fieldRef: { fieldPath: "metadata.name" } },
          { path: "a/b", fieldRef: { fieldPath: "metadata.name" } },
        ],
      },
    }),
    volume("files of several", {
      projected: {
        sources: [{ configMap: { name: "c", ...items("token", "x") } }, { serviceAccountToken: { path: "token" } }, { secret: { name: "s", ...items("x/y") } }],
      },
    }),
  ]),
];
