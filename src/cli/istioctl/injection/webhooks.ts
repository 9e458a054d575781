import { selectorMatches } from "../../../resources/index.ts";
import type { LabelSelector } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { list, object, text } from "../proxy-config/dump.ts";

export type Labels = Readonly<Record<string, string>>;

/** One webhook of a MutatingWebhookConfiguration, as far as its selectors go. */
export interface InjectionHook {
  readonly name: string;
  readonly namespaceSelector: LabelSelector | undefined;
  readonly objectSelector: LabelSelector | undefined;
}

export function hooksOf(configuration: KubeObject): InjectionHook[] {
  return list(configuration.webhooks).map((hook) => ({
    name: text(hook.name),
    namespaceSelector: selectorOf(hook.namespaceSelector),
    objectSelector: selectorOf(hook.objectSelector),
  }));
}

/** Whether all of the configuration's webhooks are Istio's. */
export function isIstioConfiguration(configuration: KubeObject): boolean {
  return hooksOf(configuration).some(({ name }) => name.endsWith("istio.io"));
}

export function revisionOf(configuration: KubeObject): string {
  return configuration.metadata.labels?.["istio.io/rev"] ?? "";
}

/** No selector selects everything. */
export function selects(selector: LabelSelector | undefined, labels: Labels): boolean {
  return selector === undefined || selectorMatches(selector, labels);
}

function selectorOf(value: unknown): LabelSelector | undefined {
  return typeof value === "object" && value !== null ? (object(value) as LabelSelector) : undefined;
}
