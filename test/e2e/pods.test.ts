import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HAS_CLUSTER, eventually, must, sh } from "./shell.ts";

const NAMESPACE = "pods-e2e";
const folder = mkdtempSync(join(tmpdir(), "chainmail-pods-"));
const asRoot = process.getuid?.() === 0;
const IMAGE = "curlimages/curl";

const pod = (name: string, spec: object, metadata: object = {}) =>
  must("kubectl apply -f -", {
    input: JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: NAMESPACE, ...metadata },
      spec: { terminationGracePeriodSeconds: 1, ...spec },
    }),
  });
const sleeper = (name = "main", more: object = {}) => ({ name, image: IMAGE, command: ["sleep", "10000"], ...more });
const ready = (name: string) => must(`kubectl wait -n ${NAMESPACE} --for=condition=Ready pod/${name} --timeout=20s`);
const get = (name: string, path: string) => must(`kubectl get pod ${name} -n ${NAMESPACE} -o jsonpath='${path}'`);
const exec = async (name: string, command: string, container = "main") =>
  (await sh(`kubectl exec -n ${NAMESPACE} ${name} -c ${container} -- sh -c '${command}'`)).stdout;

/** A command at a terminal, as a person has it: says a line once an answer has come. */
class Conversation {
  #text = "";
  readonly #child: Bun.Subprocess;
  private constructor(command: string, env: Record<string, string>) {
    this.#child = Bun.spawn(["bash", "-c", `exec ${command}`], {
      env,
      terminal: { cols: 100, rows: 30, data: (_terminal, chunk) => void (this.#text += Buffer.from(chunk).toString()) },
    });
  }

  static async start(command: string): Promise<Conversation> {
    const kubeconfig = (await must("echo $KUBECONFIG")).trim();
    return new Conversation(command, { ...(process.env as Record<string, string>), KUBECONFIG: kubeconfig, TERM: "xterm" });
  }

  async say(line: string, answer: RegExp): Promise<void> {
    this.#child.terminal?.write(line);
    await eventually(async () => expect(this.#text).toMatch(answer), 10_000);
  }

  async end(): Promise<number> {
    const code = await this.#child.exited;
    this.#child.terminal?.close();
    return code;
  }
}

describe.if(HAS_CLUSTER)("pods", () => {
  beforeAll(async () => {
    await must(`kubectl create namespace ${NAMESPACE}`);
    await pod("plain", { containers: [sleeper("main", { resources: { limits: { memory: "64Mi", cpu: "500m" } } })] });
    await ready("plain");
  }, 40_000);
  afterAll(async () => {
    await must(`kubectl delete pod -n ${NAMESPACE} --all --force --grace-period=0; kubectl delete namespace ${NAMESPACE}`);
    rmSync(folder, { recursive: true });
  }, 40_000);

  test("kubectl debug: a container that joins the processes of another, with a terminal", async () => {
    const debug = await Conversation.start(`kubectl debug -n ${NAMESPACE} -it plain --image=${IMAGE} --target=main --profile=general -c helper -- sh`);
    await debug.say("cat /proc/1/cmdline | tr '\\0' ' '; tty\n", /sleep 10000 [^]*\/dev\/pts\/\d/);
    await debug.say("exit 3\n", /exit 3/);
    await debug.end();
    await eventually(async () =>
      expect(await get("plain", "{.status.ephemeralContainerStatuses[0].name} {.status.ephemeralContainerStatuses[0].state.terminated.exitCode}")).toBe(
        "helper 3",
      ),
    );
    expect(await get("plain", "{.status.phase} {.status.containerStatuses[0].restartCount}")).toBe("Running 0");
    expect(await must(`kubectl describe pod plain -n ${NAMESPACE}`)).toMatch(/Ephemeral Containers:\n  helper:/);
    expect(await must(`kubectl logs -n ${NAMESPACE} plain -c helper`)).toContain("sleep 10000");
  }, 40_000);

  test("kubectl attach to a shell: job control, size, exit code", async () => {
    await pod("shell", {
      containers: [{ name: "main", image: IMAGE, command: ["bash", "--norc", "-i"], stdin: true, tty: true, env: [{ name: "PS1", value: "$ " }] }],
    });
    await ready("shell");
    const first = await Conversation.start(`kubectl attach -n ${NAMESPACE} -it shell`);
    // The terminal's size comes along a stream of its own, a moment after the first key may have been pressed.
    await first.say("until stty size | grep '30 100'; do sleep 0.1; done; tty\n", /30 100\r\n\/dev\/pts\/0/);
    await first.say("sleep 50\n", /sleep 50\r\n/);
    await Bun.sleep(200);
    await first.say("\x1a", /Stopped +sleep 50/);
    await first.say("kill %1; cat\n", /cat\r\n/);
    await Bun.sleep(200);
    await first.say("\x03", /\^C/);
    await first.say("X=kept; echo set $X\n", /set kept/);
    await first.say("exit 5\n", /exit/);
    await first.end();
    await eventually(async () => expect(await get("shell", "{.status.containerStatuses[0].lastState.terminated.exitCode}")).toBe("5"));
  }, 40_000);

  test("kubectl run -it with input, and exec with a terminal of a name", async () => {
    const counted = await must(`echo "one two three" | kubectl run counter -n ${NAMESPACE} --image=${IMAGE} --rm -i --restart=Never --quiet -- wc -w`);
    expect(counted.trim()).toBe("3");
    const shell = await Conversation.start(`kubectl exec -n ${NAMESPACE} -it plain -- sh`);
    await shell.say("tty; ls -l $(tty) | wc -l\n", /\/dev\/pts\/\d+\r\n1\r\n/);
    await shell.say("exit\n", /exit/);
    expect(await shell.end()).toBe(0);
  }, 40_000);

  test("kubectl cp of more than any buffer holds, both ways", async () => {
    const bytes = crypto.getRandomValues(Buffer.alloc(65_536));
    writeFileSync(join(folder, "big"), Buffer.concat(Array<Buffer>(640).fill(bytes)));
    await must(`kubectl cp ${folder}/big ${NAMESPACE}/plain:/tmp/big && kubectl cp ${NAMESPACE}/plain:/tmp/big ${folder}/back`);
    expect(
      await Bun.file(join(folder, "back"))
        .slice(0, 40 << 20)
        .arrayBuffer()
        .then((b) => Bun.hash(b)),
    ).toBe(Bun.hash(await Bun.file(join(folder, "big")).arrayBuffer()));
    await exec("plain", "rm /tmp/big");
  }, 60_000);

  test("volumes: claims outlive pods, memory is bounded, groups own, subPaths show a part", async () => {
    await must("kubectl apply -f -", {
      input: JSON.stringify({
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "data", namespace: NAMESPACE },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      }),
    });
    const spec = (command: string) => ({
      restartPolicy: "Never",
      securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 4321 },
      volumes: [
        { name: "data", persistentVolumeClaim: { claimName: "data" } },
        { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
        { name: "scratch", emptyDir: {} },
      ],
      containers: [
        {
          name: "main",
          image: IMAGE,
          command: ["sh", "-c", command],
          env: [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
          volumeMounts: [
            { name: "data", mountPath: "/data" },
            { name: "memory", mountPath: "/memory" },
            { name: "scratch", mountPath: "/part", subPathExpr: "$(POD)/inner" },
          ],
        },
      ],
    });
    await pod(
      "writer",
      spec(
        "echo kept > /data/file; head -c 2000000 /dev/zero > /memory/f 2>/dev/null || echo full; stat -f -c %T /memory; stat -c %g /data/file /part; echo x > /part/y && echo wrote",
      ),
    );
    await must(`kubectl wait -n ${NAMESPACE} --for=jsonpath='{.status.phase}'=Succeeded pod/writer --timeout=20s`);
    expect(await must(`kubectl logs -n ${NAMESPACE} writer`)).toBe(`full\ntmpfs\n${asRoot ? "4321\n4321" : "0\n0"}\nwrote\n`);
    await must(`kubectl delete pod writer -n ${NAMESPACE}`);
    await pod("reader", spec("cat /data/file; ls /part /memory"));
    await must(`kubectl wait -n ${NAMESPACE} --for=jsonpath='{.status.phase}'=Succeeded pod/reader --timeout=20s`);
    expect(await must(`kubectl logs -n ${NAMESPACE} reader`)).toBe("kept\n/memory:\n\n/part:\n");
  }, 60_000);

  test("processes shared by a pod's containers; a host's network; ports on the host", async () => {
    await pod("shared", { shareProcessNamespace: true, containers: [sleeper(), sleeper("other", { command: ["sleep", "20000"] })] });
    await pod("hostnet", { hostNetwork: true, containers: [sleeper()] });
    await pod("port", { containers: [{ name: "main", image: "nicholasjackson/fake-service:v0.7.8", ports: [{ containerPort: 9090, hostPort: 18088 }] }] });
    await Promise.all(["shared", "hostnet", "port"].map(ready));
    expect(await exec("shared", 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')).toMatch(/sleep 10000.*sleep 20000/s);
    expect(await get("hostnet", "{.status.podIP}")).toBe(await get("hostnet", "{.status.hostIP}"));
    const api = new URL((await must("kubectl config view -o jsonpath={.clusters[0].cluster.server}")).trim());
    await eventually(async () => expect((await fetch(`http://${api.hostname}:18088/`)).status).toBe(200));
    expect(await exec("plain", `curl -s -o /dev/null -w %{http_code} http://${await get("port", "{.status.hostIP}")}:18088/`)).toBe("200");
    await must(`kubectl delete pod port -n ${NAMESPACE}`);
    await expect(fetch(`http://${api.hostname}:18088/`)).rejects.toThrow();
  }, 60_000);

  test("an end by deadline, last words, and what is not granted is told", async () => {
    await pod("late", { activeDeadlineSeconds: 2, containers: [sleeper()] });
    await pod("words", {
      restartPolicy: "Never",
      hostPID: true,
      containers: [{ name: "main", image: IMAGE, command: ["sh", "-c", "echo goodbye > /tmp/words; exit 4"], terminationMessagePath: "/tmp/words" }],
    });
    await eventually(async () => expect(await get("late", "{.status.phase} {.status.reason}")).toBe("Failed DeadlineExceeded"), 10_000);
    await eventually(async () =>
      expect(await get("words", "{.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].state.terminated.message}")).toBe(
        "4 goodbye\n",
      ),
    );
    expect(await must(`kubectl get events -n ${NAMESPACE} --field-selector involvedObject.name=words -o jsonpath='{.items[*].message}'`)).toContain(
      "runs without hostPID",
    );
  }, 40_000);

  test("limits: more memory than allowed ends a container, or the machine's lack of control groups is told", async () => {
    const hungry = {
      name: "main",
      image: IMAGE,
      command: ["awk", 'BEGIN { s = "xxxxxxxx"; while (length(s) < 100000000) s = s s; print "had it" }'],
      resources: { limits: { memory: "32Mi" } },
    };
    await pod("hungry", { restartPolicy: "Never", containers: [hungry] });
    await eventually(async () => expect(await get("hungry", "{.status.phase}")).toMatch(/Succeeded|Failed/), 30_000);
    const told = await must(`kubectl get events -n ${NAMESPACE} --field-selector involvedObject.name=hungry -o jsonpath='{.items[*].reason}'`);
    const end = await get("hungry", "{.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}");
    expect(end).toBe(told.includes("LimitsNotEnforced") ? "Completed 0" : "OOMKilled 137");
  }, 40_000);

  test("kubectl top shows what pods use", async () => {
    await eventually(async () => expect(await must(`kubectl top pod plain -n ${NAMESPACE} --no-headers`)).toMatch(/plain +\d+m +\d+(Ki|Mi)/), 20_000);
    expect(await must("kubectl top node --no-headers")).toMatch(/chainmail +\d+m +\d+% +\d+Mi +\d+%/);
  }, 30_000);
});
