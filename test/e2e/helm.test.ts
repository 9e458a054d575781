import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HAS_CLUSTER, must, sh } from "./shell.ts";

const NAMESPACE = "helm-e2e";
const folder = mkdtempSync(join(tmpdir(), "chainmail-helm-"));
const HAS_HELM = Bun.which("helm") !== null;

/** What charts are made of: a hook, a workload that is waited for, and kinds that only have to be there. */
const TEMPLATES = `
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {message: "{{ .Values.message }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata:
      labels: {app: "{{ .Release.Name }}"}
      annotations: {message: "{{ .Values.message }}"}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: curlimages/curl, command: [sleep, "1000"]}]
---
apiVersion: batch/v1
kind: Job
metadata:
  name: "{{ .Release.Name }}-hook"
  annotations: {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: curlimages/curl, command: ["true"]}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: "{{ .Release.Name }}"}
spec: {minAvailable: 1, selector: {matchLabels: {app: "{{ .Release.Name }}"}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: "{{ .Release.Name }}"}
spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: "{{ .Release.Name }}"}}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80}]}
`;

const helm = (args: string) => must(`helm ${args} --namespace ${NAMESPACE}`);
const message = () => must(`kubectl get configmap app -n ${NAMESPACE} -o jsonpath='{.data.message}'`);

describe.if(HAS_CLUSTER && HAS_HELM)("Helm", () => {
  beforeAll(() => {
    mkdirSync(join(folder, "chart/templates"), { recursive: true });
    writeFileSync(join(folder, "chart/Chart.yaml"), "apiVersion: v2\nname: app\nversion: 1.0.0\n");
    writeFileSync(join(folder, "chart/values.yaml"), "message: one\n");
    writeFileSync(join(folder, "chart/templates/all.yaml"), TEMPLATES);
  });
  afterAll(async () => {
    await sh(`kubectl delete namespace ${NAMESPACE} --ignore-not-found --wait=false`);
    rmSync(folder, { recursive: true, force: true });
  });

  test("installs, upgrades, rolls back and uninstalls a chart", async () => {
    expect(await helm(`install app ${folder}/chart --create-namespace --wait --timeout 40s`)).toContain("STATUS: deployed");
    expect(await message()).toBe("one");
    // The hook has run, and is gone again.
    expect(await must(`kubectl get jobs -n ${NAMESPACE} -o name`)).toBe("");
    await helm(`upgrade app ${folder}/chart --set message=two --wait --timeout 40s`);
    expect(await message()).toBe("two");
    expect(await must(`kubectl get deployment app -n ${NAMESPACE} -o jsonpath='{.metadata.generation} {.status.readyReplicas}'`)).toBe("2 1");
    await helm("rollback app 1 --wait --timeout 40s");
    expect(await message()).toBe("one");
    expect((await helm("history app -o json")).match(/"status":"\w+"/g)).toEqual(['"status":"superseded"', '"status":"superseded"', '"status":"deployed"']);
    await helm("uninstall app --wait --timeout 40s");
    expect(await must(`kubectl get deployments,services,configmaps,poddisruptionbudgets,horizontalpodautoscalers -n ${NAMESPACE} -o name`)).not.toMatch(
      /\/app$/m,
    );
    expect(await helm("list -q")).toBe("");
  }, 150_000);
});
