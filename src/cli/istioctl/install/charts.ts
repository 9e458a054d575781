import { load } from "js-yaml";
import { VERSION } from "../../../base/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { goYaml } from "../format/go-yaml.ts";
import { componentSets, type ComponentName } from "./components.ts";
import type { InstallSettings } from "./settings.ts";

/** Kubernetes and Helm versions that the charts are made for. */
const KUBERNETES = ">=1.29.0-0";

/** What stands in the objects where a chart has a value. Plain words, so that YAML needs no quotes around them. */
const HUB = "XHUBX";
const TAG = "XTAGX";
const NAMESPACE = "xnamespacex";
const REVISION = "xrevisionx";
const TRUST_DOMAIN = "xtrustdomainx";
const CLUSTER_DOMAIN = "xclusterdomainx";
const REPLICAS = 7_654_321;
const GATEWAY = "istio-ingressgateway";

const EXPRESSIONS: readonly (readonly [placeholder: string, expression: string])[] = [
  [HUB, "{{ .Values.global.hub }}"],
  [TAG, "{{ .Values.global.tag }}"],
  [NAMESPACE, "{{ .Release.Namespace }}"],
  [REVISION, "{{ .Values.revision }}"],
  [TRUST_DOMAIN, '{{ (.Values.meshConfig).trustDomain | default "cluster.local" }}'],
  [CLUSTER_DOMAIN, '{{ ((.Values.global).proxy).clusterDomain | default "cluster.local" }}'],
  [String(REPLICAS), "{{ .Values.replicaCount }}"],
];

interface Chart {
  readonly description: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly notes: string;
  readonly templates: Readonly<Record<string, string>>;
}

/**
 * Helm charts under Istio's names, by the path of their files: `base`, `istiod`, `gateway`, and `addons` with the console
 * and the metrics store. They are the objects that `istioctl install` applies, with values where those have settings.
 */
export function helmCharts(): Map<string, string> {
  const image = { hub: "chainmail", tag: VERSION };
  const values = { global: image, revision: "", replicaCount: 1 };
  const charts: Record<string, Chart> = {
    base: {
      description: "Definitions of Istio's kinds, and what all revisions share",
      values: { global: image, defaultRevision: "default" },
      notes: "The definitions stay when this release is deleted: with them all objects of these kinds would go.",
      templates: { "all.yaml": base() },
    },
    istiod: {
      description: "Chainmail's control plane",
      values: { ...values, meshConfig: {}, sidecarInjectorWebhook: {} },
      notes: "istioctl version and istioctl proxy-status say what runs.",
      templates: { "_helpers.tpl": istiodHelpers(), "all.yaml": byRevision(istiod) },
    },
    gateway: {
      description: "A gateway, named after its release",
      values: { ...values, name: "", labels: {}, service: { type: "LoadBalancer", annotations: {}, ports: [] } },
      notes: "Gateways and VirtualServices choose it by the label istio, which is its name without istio- in front.",
      templates: { "_helpers.tpl": GATEWAY_HELPERS, "all.yaml": byRevision(gateway) },
    },
    addons: {
      description: "Chainmail's console, and its store of metrics and traces",
      values: { global: image },
      notes: "istioctl dashboard kiali opens the console.",
      templates: { "all.yaml": texts([...objects("Kiali", "default"), ...objects("Prometheus", "default")]) },
    },
  };
  const files = new Map<string, string>();
  for (const [name, chart] of Object.entries(charts)) {
    files.set(
      `${name}/Chart.yaml`,
      goYaml({ apiVersion: "v2", name, version: VERSION, appVersion: VERSION, description: chart.description, kubeVersion: KUBERNETES, type: "application" }),
    );
    files.set(`${name}/values.yaml`, goYaml(chart.values));
    files.set(`${name}/templates/NOTES.txt`, `${chart.notes}\n`);
    for (const [file, text] of Object.entries(chart.templates)) files.set(`${name}/templates/${file}`, text);
  }
  return files;
}

function objects(component: ComponentName, revision: string): KubeObject[] {
  const settings: InstallSettings = {
    profile: "default",
    values: { hub: HUB, version: TAG, namespace: NAMESPACE, revision, replicas: REPLICAS, trustDomain: TRUST_DOMAIN, clusterDomain: CLUSTER_DOMAIN },
    components: { base: true, pilot: true, ingress: true, egress: false, console: true, metrics: true },
    ownImages: true,
  };
  return componentSets(settings).find(({ name }) => name === component)?.objects ?? [];
}

/** Objects of the default revision have neither its name nor a suffix. */
function byRevision(make: (revision: string) => string): string {
  return `{{- if or (not .Values.revision) (eq .Values.revision "default") }}\n${make("default")}{{- else }}\n${make(REVISION)}{{- end }}\n`;
}

/** Helm keeps the definitions when the release goes, as Istio's chart does. */
function base(): string {
  const kept = objects("Base", "default").map((object) =>
    object.kind === "CustomResourceDefinition"
      ? { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, "helm.sh/resource-policy": "keep" } } }
      : object,
  );
  return texts(kept);
}

function istiod(revision: string): string {
  return objects("Pilot", revision)
    .map((object) => (object.kind === "ConfigMap" ? configMap(object, revision) : text(object)))
    .join("");
}

/** The mesh config and the values of injection are the installation's with those of the chart over them. */
const OVERLAYS = {
  mesh: { parse: "fromYaml", own: "(.Values.meshConfig | default dict)", print: "toYaml" },
  values: {
    parse: "fromJson",
    own: '(dict "global" (omit .Values.global "hub" "tag") "sidecarInjectorWebhook" (.Values.sidecarInjectorWebhook | default dict))',
    print: "toPrettyJson",
  },
} as const;
type Overlaid = keyof typeof OVERLAYS;

function istiodHelpers(): string {
  const maps = ["default", REVISION].flatMap((revision) =>
    objects("Pilot", revision)
      .filter(({ kind }) => kind === "ConfigMap")
      .map((object) => ({ revision, object })),
  );
  return maps
    .map(({ revision, object }) => {
      const key = overlaid(object);
      const defaults = (object.data as Record<string, string>)[key] ?? "";
      return `{{- define ${helper(key, revision)} }}\n${expressed(key === "mesh" ? goYaml(load(defaults)) : `${defaults}\n`)}{{- end }}\n`;
    })
    .join("");
}

function configMap(object: KubeObject, revision: string): string {
  const key = overlaid(object);
  const { parse, own, print } = OVERLAYS[key];
  const marker = "XDATAX";
  const merged = `{{- mergeOverwrite (${parse} (include ${helper(key, revision)} .)) ${own} | ${print} | nindent 4 }}`;
  return text({ ...object, data: { ...(object.data as Record<string, string>), [key]: marker } }).replace(marker, () => `|-\n    ${merged}`);
}

function overlaid({ data }: KubeObject): Overlaid {
  return "mesh" in (data as Record<string, string>) ? "mesh" : "values";
}

function helper(key: Overlaid, revision: string): string {
  return JSON.stringify(`istiod.${key}${revision === "default" ? "" : ".revision"}`);
}

const GATEWAY_HELPERS = `{{- define "gateway.name" }}{{ .Values.name | default .Release.Name | trunc 63 }}{{ end }}\n{{- define "gateway.istio" }}{{ include "gateway.name" . | trimPrefix "istio-" }}{{ end }}\n`;

function gateway(revision: string): string {
  return objects("IngressGateways", revision)
    .map((object) => {
      let yaml = text(object)
        .replaceAll(GATEWAY, '{{ include "gateway.name" . }}')
        .replaceAll(/istio: ingressgateway$/gm, 'istio: {{ include "gateway.istio" . }}');
      if (object.kind === "Service") {
        yaml = yaml.replace(/^ {2}type: LoadBalancer$/m, "  type: {{ .Values.service.type }}");
        yaml = yaml.replace(
          /^ {2}ports:\n(?: {2}(?:- | {2}).*\n)+/m,
          (ports) => `{{- with .Values.service.ports }}\n  ports:\n    {{- toYaml . | nindent 4 }}\n{{- else }}\n${ports}{{- end }}\n`,
        );
        yaml = yaml.replace(
          /^metadata:$/m,
          "metadata:\n  {{- with .Values.service.annotations }}\n  annotations:\n    {{- toYaml . | nindent 4 }}\n  {{- end }}",
        );
      }
      return yaml.replace(/^ {2}labels:$/m, "  labels:\n    {{- with .Values.labels }}\n    {{- toYaml . | nindent 4 }}\n    {{- end }}");
    })
    .join("");
}

function texts(list: readonly KubeObject[]): string {
  return list.map(text).join("");
}

function text(object: KubeObject): string {
  return `---\n${expressed(goYaml(object))}\n`;
}

/** The values in the place of what stands for them. Text that Helm would take for its own is shown to it as text. */
function expressed(yaml: string): string {
  const escaped = yaml.replaceAll("{{", '{{ "{{" }}');
  return EXPRESSIONS.reduce(
    (result, [placeholder, expression]) =>
      result
        .replaceAll(new RegExp(`: ${placeholder}$`, "gm"), `: ${placeholder === String(REPLICAS) ? expression : expression.replace(" }}", " | quote }}")}`)
        .replaceAll(placeholder, expression),
    escaped,
  );
}
