import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { HAS_CLUSTER, ROOT, eventually, must, sh } from "./shell.ts";

// A pod that means harm, as root of its container: everything that it tries is refused.
const NAMESPACE = "hostile";
const BUN = "/opt/chainmail/bin/bun";
const folder = mkdtempSync(join(tmpdir(), "chainmail-hostile-"));
const exec = (command: string, namespace = NAMESPACE, pod = "attacker") => sh(`kubectl exec -n ${namespace} ${pod} -c main -- sh -c '${command}'`);
const apply = (object: object) => must("kubectl apply -f -", { input: JSON.stringify(object) });
const attacker = (namespace: string, more: object = {}, container: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "attacker", namespace },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: "main",
        image: "nicholasjackson/fake-service:v0.7.8",
        command: ["sleep", "10000"],
        securityContext: { runAsUser: 0 },
        volumeMounts: [{ name: "attempts", mountPath: "/attempts" }],
        ...container,
      },
    ],
    volumes: [{ name: "attempts", configMap: { name: "attempts", optional: true } }],
    ...more,
  },
});

describe.if(HAS_CLUSTER)("a hostile pod", () => {
  beforeAll(async () => {
    await must(`kubectl create namespace ${NAMESPACE}`);
    const built = await Bun.build({ entrypoints: [join(ROOT, "test/e2e/hostile-attempts.ts")], target: "bun", outdir: folder });
    expect(built.success).toBe(true);
    for (const namespace of [NAMESPACE, "istioinaction"]) {
      await apply({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "attempts", namespace },
        data: { "attempts.js": readFileSync(join(folder, "hostile-attempts.js"), "utf8") },
      });
      await apply(attacker(namespace));
      await must(`kubectl wait -n ${namespace} --for=condition=Ready pod/attacker --timeout=30s`);
    }
  }, 60_000);
  afterAll(async () => {
    await must("kubectl delete pod,configmap -n istioinaction attacker attempts --ignore-not-found --force --grace-period=0");
    await must(`kubectl delete pod -n ${NAMESPACE} --all --force --grace-period=0; kubectl delete namespace ${NAMESPACE}`);
    rmSync(folder, { recursive: true });
  }, 40_000);

  test.each([NAMESPACE, "istioinaction"])(
    "in namespace %s gets nothing of the machine, the kernel or other identities",
    async (namespace) => {
      const home = (await must("echo ${CHAINMAIL_HOME:-$HOME/.local/state/chainmail}")).trim();
      const paths = ["/root/.ssh", "/home", home, ROOT, "/boot", "/mnt", "/media", "/run/systemd", "/run/docker.sock", "/proc/1/root/container", "/lost+found"];
      const result = await exec(`${BUN} /attempts/attempts.js try ${paths.join(" ")}`, namespace);
      const attempts = JSON.parse(result.stdout) as Record<string, string>;
      expect(Object.keys(attempts).length).toBeGreaterThan(40);
      expect(Object.entries(attempts).filter(([, outcome]) => outcome === "worked")).toEqual([]);
      expect(Object.entries(attempts).filter(([, outcome]) => !/^(E[A-Z]+|empty)$/.test(outcome))).toEqual([]);
    },
    30_000,
  );

  test("cannot look through processes that are being started in it", async () => {
    // Each exec begins outside of the container's root. The attacker, of the same uid, looks at every process all the time.
    const watching = exec(`${BUN} /attempts/attempts.js watch 5000`);
    await Bun.sleep(300);
    for (let round = 0; round < 25; round++) await exec("true");
    const { looked, foreign } = JSON.parse((await watching).stdout) as { looked: number; foreign: string[] };
    console.log(`looked ${looked} times at the roots of processes that were being started, and saw ${foreign.length} that was not the container's own`);
    expect(looked).toBeGreaterThan(1000);
    // Beside the container's own: at most the machine's programs, without any process, home or secret.
    for (const seen of foreign)
      expect(seen).toMatch(
        /^\/proc (own|E[A-Z]+)?; \/etc (own|[lds.acheonf,]+|E[A-Z]+); \/home (own|E[A-Z]+); \/root (own|E[A-Z]+); \/dev (own|null,ptmx,pts|E[A-Z]+)$/,
      );
  }, 40_000);

  test("reaches neither the host's addresses nor the cloud's, nor other pods' administration", async () => {
    const server = Bun.serve({ hostname: "0.0.0.0", port: 0, fetch: () => new Response("the host") });
    try {
      const api = new URL((await must("kubectl config view -o jsonpath={.clusters[0].cluster.server}")).trim());
      const own = Object.values(networkInterfaces()).flatMap((list) =>
        (list ?? []).filter(({ family }) => family === "IPv4").map(({ address }) => `http://${address}:${server.port}/`),
      );
      const node = await must(`kubectl get pod attacker -n ${NAMESPACE} -o jsonpath='{.status.hostIP}'`);
      const web = await must("kubectl get pod -n istioinaction -l app=web-api -o jsonpath='{.items[0].status.podIP}'");
      const targets = [
        ...own,
        `https://${api.host}/version`,
        "http://169.254.169.254/",
        "http://169.254.1.1/",
        `http://${node}:15999/`,
        `http://${web}:15000/config_dump`,
        `http://${web}:15004/`,
        `http://${web}:15053/`,
        `http://0.0.0.0:${server.port}/`,
      ];
      const codes = (await exec(targets.map((url) => `curl -sk -m 2 -o /dev/null -w "%{http_code} " ${url}`).join("; "))).stdout.trim().split(" ");
      // A sidecar takes what comes for any port of its pod, and finds nobody behind these.
      expect(targets.map((url, index) => [url, codes[index]])).toEqual(
        targets.map((url) => [url, expect.stringMatching(url.includes(web) ? /^(000|503)$/ : /^000$/)]),
      );
    } finally {
      await server.stop(true);
    }
  }, 60_000);

  test("does not get past the sidecar of a STRICT service, in clear text or under another's name", async () => {
    await apply({
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "default", namespace: "istioinaction" },
      spec: { mtls: { mode: "STRICT" } },
    });
    try {
      const web = await must("kubectl get pod -n istioinaction -l app=web-api -o jsonpath='{.items[0].status.podIP}'");
      const tries = [`http://${web}:8080/`, "http://web-api.istioinaction:8080/", `http://${web}:15006/`, `http://${web}:15001/`];
      const all = (extra: string) => tries.map((url) => `curl -s -m 2 -o /dev/null -w "%{http_code} " ${extra} ${url}`).join("; ");
      await eventually(async () => expect((await exec(all(""))).stdout.trim()).toBe("000 000 000 000"));
      // Inside the mesh: by its own sidecar, and by ways around it.
      expect((await exec(`curl -s -m 2 -o /dev/null -w %{http_code} http://web-api.istioinaction:8080/`, "istioinaction")).stdout).toBe("200");
      for (const way of ["--interface eth0", "--interface 127.0.0.6", "--local-port 15006"])
        expect([way, (await exec(`curl -s -m 2 -o /dev/null -w %{http_code} ${way} http://${web}:8080/`, "istioinaction")).stdout]).toEqual([
          way,
          expect.not.stringContaining("200"),
        ]);
    } finally {
      await must("kubectl delete peerauthentication default -n istioinaction");
    }
  }, 60_000);

  test.each<[string, object, object]>([
    ["the proxy's user", {}, { securityContext: { runAsUser: 1337 } }],
    ["the proxy's group", {}, { securityContext: { runAsUser: 1000, runAsGroup: 1337 } }],
    ["the proxy's group beside others", { securityContext: { fsGroup: 1337 } }, {}],
    ["a mount over the root", {}, { volumeMounts: [{ name: "attempts", mountPath: "/" }] }],
    ["the cluster's folder", { volumes: [{ name: "attempts", hostPath: { path: "CHAINMAIL_HOME" } }] }, {}],
    ["the machine's root", { volumes: [{ name: "attempts", hostPath: { path: "/" } }] }, {}],
    ["a sysctl of the machine", { securityContext: { sysctls: [{ name: "kernel.core_pattern", value: "|/x" }] } }, {}],
  ])(
    "may not have %s",
    async (what, spec, container) => {
      const home = (await must("echo ${CHAINMAIL_HOME:-$HOME/.local/state/chainmail}")).trim();
      const pod = JSON.parse(
        JSON.stringify({ ...attacker("istioinaction", spec, container), metadata: { name: "greedy", namespace: "istioinaction" } }).replaceAll(
          "CHAINMAIL_HOME",
          home,
        ),
      ) as object;
      const applied = await sh("kubectl apply -f -", { input: JSON.stringify(pod) });
      try {
        // Some are refused by the API already.
        if (applied.exitCode !== 0) return;
        const events = async () =>
          must("kubectl get events -n istioinaction --field-selector involvedObject.name=greedy,type=Warning -o jsonpath='{.items[*].message}'");
        await eventually(
          async () =>
            expect([what, await events()]).toEqual([
              what,
              expect.stringMatching(/may not run as user or group 1337|would hide the image|would show|not confined|must be absolute|FailedMount|invalid/),
            ]),
          15_000,
        );
        expect(await must("kubectl get pod greedy -n istioinaction -o jsonpath='{.status.containerStatuses[?(@.name==\"main\")].state.running}'")).toBe("");
      } finally {
        await must("kubectl delete pod greedy -n istioinaction --ignore-not-found --force --grace-period=0");
      }
    },
    40_000,
  );

  test("capabilities and privileges that a pod asks for are not granted, and that is told", async () => {
    await apply({
      ...attacker(NAMESPACE, {}, { securityContext: { runAsUser: 0, privileged: true, capabilities: { add: ["SYS_ADMIN", "NET_ADMIN"] } } }),
      metadata: { name: "privileged", namespace: NAMESPACE },
    });
    await must(`kubectl wait -n ${NAMESPACE} --for=condition=Ready pod/privileged --timeout=20s`);
    expect((await exec("grep CapEff /proc/self/status; grep CapEff /proc/1/status", NAMESPACE, "privileged")).stdout).toBe(
      "CapEff:\t0000000000000000\nCapEff:\t0000000000000000\n",
    );
    expect(await must(`kubectl get events -n ${NAMESPACE} --field-selector involvedObject.name=privileged -o jsonpath='{.items[*].message}'`)).toContain(
      "runs without privileged, SYS_ADMIN, NET_ADMIN",
    );
  }, 30_000);

  test("its token is its own account's, bound to it, and is worth nothing once it is gone", async () => {
    const token = (await exec("cat /var/run/secrets/kubernetes.io/serviceaccount/token")).stdout;
    const api = (await must("kubectl config view -o jsonpath={.clusters[0].cluster.server}")).trim();
    const ask = async (path: string) => (await must(`curl -sk -o /dev/null -w %{http_code} -H "Authorization: Bearer ${token}" ${api}${path}`)).trim();
    expect(
      await Promise.all([
        ask("/api/v1/namespaces"),
        ask(`/api/v1/namespaces/${NAMESPACE}/secrets`),
        ask(`/api/v1/namespaces/${NAMESPACE}/pods/attacker/exec?command=id`),
        ask("/apis/authentication.k8s.io/v1/tokenreviews"),
      ]),
    ).toEqual(["403", "403", "403", expect.stringMatching(/40[35]/)]);
    const asPod = `KUBECONFIG=/dev/null kubectl --server=${api} --insecure-skip-tls-verify --token=${token}`;
    expect((await sh(`${asPod} exec -n ${NAMESPACE} attacker -- id`)).stderr).toContain("forbidden");
    for (const who of ["--as=system:admin", "--as=nobody", "--as=system:serviceaccount:hostile:default"]) {
      const result = await sh(`kubectl ${who} exec -n istioinaction attacker -c main -- id`);
      expect([who, result.exitCode, result.stderr]).toEqual([who, 1, expect.stringContaining("forbidden")]);
    }
    for (const who of ["--as=kubernetes-admin", "--as=me --as-group=system:masters"])
      expect((await sh(`${asPod} ${who} get secrets -A`)).stderr).toMatch(/cannot impersonate|forbidden/i);
    await must(`kubectl delete pod attacker -n ${NAMESPACE} --force --grace-period=0`);
    await eventually(async () => expect(await ask("/api/v1/namespaces")).toBe("401"));
  }, 60_000);
});
