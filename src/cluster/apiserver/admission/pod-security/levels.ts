import type { FieldError } from "../../../../resources/index.ts";
import { baselineChecks } from "./baseline.ts";
import { restrictedChecks } from "./restricted.ts";
import type { PodTemplate, VersionedCheck, Violation } from "./types.ts";

export const LEVELS = ["privileged", "baseline", "restricted"] as const;
type Level = (typeof LEVELS)[number];

/** A level of the standards as they stood in a minor version of Kubernetes 1. */
export interface LevelVersion {
  level: Level;
  version: number | "latest";
}

/** What a namespace's labels ask for. */
export interface Policy {
  enforce: LevelVersion;
  audit: LevelVersion;
  warn: LevelVersion;
}

const PREFIX = "pod-security.kubernetes.io/";
const MODES = ["enforce", "audit", "warn"] as const;

/**
 * Reads a namespace's labels. What cannot be read counts as "restricted" where it is enforced and as "privileged"
 * elsewhere, and is told of in `errors`.
 */
export function policyOf(labels: Record<string, string> | undefined): { policy: Policy; errors: FieldError[] } {
  const privileged = (): LevelVersion => ({ level: "privileged", version: "latest" });
  const policy: Policy = { enforce: privileged(), audit: privileged(), warn: privileged() };
  const errors: FieldError[] = [];
  if (!labels) return { policy, errors };
  const refuse = (label: string, problem: string) =>
    errors.push({ type: "FieldValueInvalid", field: `metadata.labels[${label}]`, message: `Invalid value: ${JSON.stringify(labels[label])}: ${problem}` });
  let isEnforced = false;
  for (const mode of MODES) {
    const level = labels[PREFIX + mode];
    if (level !== undefined) {
      const known = LEVELS.find((one) => one === level);
      if (!known) refuse(PREFIX + mode, `must be one of ${LEVELS.join(", ")}`);
      else if (mode === "enforce") isEnforced = true;
      policy[mode].level = known ?? (mode === "enforce" ? "restricted" : "privileged");
    }
    const version = labels[`${PREFIX}${mode}-version`];
    if (version !== undefined && version !== "latest") {
      const minor = /^v1\.(\d|[1-9]\d*)$/.exec(version)?.[1];
      if (minor === undefined) refuse(`${PREFIX}${mode}-version`, 'must be "latest" or "v1.x"');
      else policy[mode].version = Number(minor);
    }
  }
  // Who enforces more than they warn of, warns of as much: controllers' templates are only warned of.
  if (labels[`${PREFIX}warn`] === undefined && isEnforced && compareLevels(policy.enforce, policy.warn) > 0) {
    policy.warn = { level: policy.enforce.level, version: labels[`${PREFIX}warn-version`] === undefined ? policy.enforce.version : policy.warn.version };
  }
  return { policy, errors };
}

export function compareLevels(a: LevelVersion, b: LevelVersion): number {
  return LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level);
}

export function isSame(a: LevelVersion, b: LevelVersion): boolean {
  return a.level === b.level && a.version === b.version;
}

/** `baseline:v1.30`, `restricted:latest`. */
export function levelText({ level, version }: LevelVersion): string {
  return `${level}:${version === "latest" ? version : `v1.${version}`}`;
}

/** What a pod breaks of a level, in a settled order. */
export function violations({ level, version }: LevelVersion, pod: PodTemplate): Violation[] {
  if (level === "privileged") return [];
  const minor = version === "latest" ? Number.POSITIVE_INFINITY : version;
  const inForce = ({ versions }: VersionedCheck) => versions.findLast(({ since }) => since <= minor)?.check;
  const restricted = level === "restricted" ? restrictedChecks().filter((check) => inForce(check)) : [];
  const overridden = new Set(restricted.map(({ overrides }) => overrides));
  return [...baselineChecks().filter(({ id }) => !overridden.has(id)), ...restricted].flatMap((check) => inForce(check)?.(pod) ?? []);
}

/** `privileged (container "a" must not …), hostPort (…)`. */
export function violationText(all: readonly Violation[]): string {
  return all.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`)).join(", ");
}
