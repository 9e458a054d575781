import type { Container, Pod, PodSpec } from "../../core.ts";
import type { FieldError } from "../../types.ts";
import { forbidden, invalid, sameJson } from "../field.ts";

/** Of a pod's spec only a few fields may change once it is there. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  if (!pod.spec || !old.spec) return [];
  const errors: FieldError[] = [];
  for (const list of ["containers", "initContainers"] as const) {
    if ((pod.spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0)) return [forbidden(`spec.${list}`, "pod updates may not add or remove containers")];
  }
  errors.push(...deadline(pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds), ...gates(pod.spec, old.spec));
  if (errors.length > 0) return errors;
  for (const container of old.spec.ephemeralContainers ?? []) {
    const same = pod.spec.ephemeralContainers?.find(({ name }) => name === container.name);
    if (!same) errors.push(forbidden("spec.ephemeralContainers", `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`));
    else if (!sameJson(same, container))
      errors.push(forbidden("spec.ephemeralContainers", `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n`));
  }
  if (errors.length > 0) return errors;
  const [now, before] = [mutableLeftOut(pod.spec, old.spec), mutableLeftOut(old.spec, old.spec)];
  if (!sameJson(now, before)) {
    errors.push(
      forbidden(
        "spec",
        `pod updates may not change fields other than \`spec.containers[*].image\`,\`spec.initContainers[*].image\`,\`spec.activeDeadlineSeconds\`,\`spec.tolerations\` (only additions to existing tolerations),\`spec.terminationGracePeriodSeconds\` (allow it to be set to 1 if it was previously negative)\n${changedLines(before, now)}`,
      ),
    );
  }
  return errors;
}

/** A deadline may come, and come nearer. */
function deadline(now: number | undefined, before: number | undefined): FieldError[] {
  const field = "spec.activeDeadlineSeconds";
  if (before === undefined || now === before) return [];
  if (now === undefined) return [invalid(field, undefined, "must not update from a positive integer to nil value")];
  return now > before ? [invalid(field, now, "must be less than or equal to previous value")] : [];
}

function gates({ schedulingGates = [] }: PodSpec, { schedulingGates: before = [] }: PodSpec): FieldError[] {
  const known = new Set(before.map(({ name }) => name));
  return schedulingGates.flatMap(({ name }, index) =>
    known.has(name) ? [] : [forbidden(`spec.schedulingGates[${index}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`)],
  );
}

/** The spec without what may change: images, deadline, added tolerations, scheduling gates that go, a grace period of 1. */
function mutableLeftOut(spec: PodSpec, old: PodSpec): Record<string, unknown> {
  const withoutImage = (containers: Container[] | undefined) => containers?.map((container) => ({ ...container, image: undefined }));
  const added = (spec.tolerations ?? []).filter((toleration) => !(old.tolerations ?? []).some((known) => sameJson(known, toleration)));
  const grace =
    (old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1
      ? old.terminationGracePeriodSeconds
      : spec.terminationGracePeriodSeconds;
  return {
    ...spec,
    activeDeadlineSeconds: undefined,
    schedulingGates: undefined,
    ephemeralContainers: undefined,
    // A gated pod may still be told where to go.
    ...(old.schedulingGates?.length ? { nodeSelector: undefined, affinity: undefined } : {}),
    terminationGracePeriodSeconds: grace,
    tolerations: (spec.tolerations ?? []).filter((toleration) => !added.includes(toleration)),
    containers: withoutImage(spec.containers),
    initContainers: withoutImage(spec.initContainers),
  };
}

function changedLines(before: Record<string, unknown>, now: Record<string, unknown>): string {
  const lines: string[] = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (sameJson(before[key], now[key])) continue;
    if (before[key] !== undefined) lines.push(`- "${key}": ${JSON.stringify(before[key])}`);
    if (now[key] !== undefined) lines.push(`+ "${key}": ${JSON.stringify(now[key])}`);
  }
  return lines.join("\n");
}
