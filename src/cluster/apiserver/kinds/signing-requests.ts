import type { Clock } from "../../../base/index.ts";
import type { FieldError, KubeObject } from "../../../resources/index.ts";
import { invalid } from "../http/status.ts";
import { equalJson } from "../json.ts";
import type { KindStrategy } from "../rest/context.ts";
import { timestamp } from "../rest/object-meta.ts";
import type { UserInfo } from "../types.ts";

export const SIGNING_REQUESTS = "certificates.k8s.io/certificatesigningrequests";
const NAMED = { group: "certificates.k8s.io", plural: "certificatesigningrequests", kind: "CertificateSigningRequest" };

interface Condition {
  type?: string;
  status?: string;
  lastUpdateTime?: string;
  lastTransitionTime?: string;
}

interface Status {
  conditions?: Condition[];
  certificate?: string;
}

/** What only `/approval` may write. */
const VERDICTS = ["Approved", "Denied"];
/** What, once there, nobody takes back. */
const LASTING = [...VERDICTS, "Failed"];

/**
 * A request for a certificate says who made it: the server writes it, and nobody changes it. `/approval` writes conditions,
 * `/status` the certificate and conditions other than the verdict.
 */
export function signingRequestStrategy(clock: Clock): KindStrategy {
  return {
    prepareCreate(object, _, user) {
      object.spec = { ...(object.spec as object | undefined), ...requester(user) };
      object.status = {};
      return undefined;
    },
    prepareUpdate(object: KubeObject, old: KubeObject, subresource: string) {
      object.spec = old.spec ?? {};
      const before = (old.status ?? {}) as Status;
      const asked = (object.status ?? {}) as Status;
      if (subresource !== "approval" && subresource !== "status") {
        object.status = before;
        return undefined;
      }
      const conditions = withTimes(
        subresource === "status" ? keepVerdicts(asked.conditions ?? [], before.conditions ?? []) : (asked.conditions ?? []),
        before.conditions ?? [],
        timestamp(clock.now()),
      );
      const status: Status = subresource === "approval" ? { ...before, conditions } : { ...asked, conditions };
      if (conditions.length === 0) delete status.conditions;
      const errors = [
        ...conditionErrors(conditions),
        ...certificateErrors(status, before),
        ...transitionErrors(conditions, before.conditions ?? [], subresource),
        ...overwriteErrors(status, before),
      ];
      if (errors.length > 0) throw invalid(NAMED, object.metadata.name, errors);
      object.status = status;
      return undefined;
    },
  };
}

function requester({ username, uid, groups, extra }: UserInfo): object {
  return { username, ...(uid ? { uid } : {}), groups, ...(extra && Object.keys(extra).length > 0 ? { extra } : {}) };
}

/** A client that knows fewer fields of a verdict than there are must not change it by writing it back. */
function keepVerdicts(conditions: Condition[], before: readonly Condition[]): Condition[] {
  const result = [...conditions];
  for (const type of VERDICTS) {
    const old = before.filter((one) => one.type === type);
    const places = result.flatMap((one, index) => (one.type === type ? [index] : []));
    if (old.length === places.length) for (const [nth, index] of places.entries()) result[index] = old[nth] as Condition;
  }
  return result;
}

function withTimes(conditions: readonly Condition[], before: readonly Condition[], now: string): Condition[] {
  return conditions.map((condition) => {
    const same = before.find(({ type, status, lastTransitionTime }) => type === condition.type && status === condition.status && lastTransitionTime);
    return {
      ...condition,
      lastUpdateTime: condition.lastUpdateTime ?? now,
      lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? now,
    };
  });
}

const CONDITIONS = "status.conditions";

function conditionErrors(conditions: readonly Condition[]): FieldError[] {
  const seen = new Set<string>();
  return conditions.flatMap(({ type = "", status = "" }, index) => {
    const at = `${CONDITIONS}[${index}]`;
    const errors: FieldError[] = [];
    if (type === "") errors.push({ type: "FieldValueRequired", field: `${at}.type`, message: "Required value" });
    const allowed = LASTING.includes(type) ? ["True"] : ["False", "True", "Unknown"];
    if (status === "") errors.push({ type: "FieldValueRequired", field: `${at}.status`, message: "Required value" });
    else if (!allowed.includes(status))
      errors.push({
        type: "FieldValueNotSupported",
        field: `${at}.status`,
        message: `Unsupported value: ${JSON.stringify(status)}: supported values: ${allowed.map((one) => JSON.stringify(one)).join(", ")}`,
      });
    if (VERDICTS.includes(type) && VERDICTS.some((other) => other !== type && seen.has(other))) {
      errors.push({
        type: "FieldValueInvalid",
        field: CONDITIONS,
        message: `Invalid value: ${JSON.stringify(type)}: Approved and Denied conditions are mutually exclusive`,
      });
    }
    if (seen.has(type)) errors.push({ type: "FieldValueDuplicate", field: `${at}.type`, message: `Duplicate value: ${JSON.stringify(type)}` });
    seen.add(type);
    return errors;
  });
}

function transitionErrors(conditions: readonly Condition[], before: readonly Condition[], subresource: string): FieldError[] {
  const forbid = (text: string): FieldError => ({ type: "FieldValueForbidden", field: CONDITIONS, message: `Forbidden: updates may not ${text}` });
  const of = (list: readonly Condition[], type: string) => list.filter((one) => one.type === type);
  const removed = LASTING.filter((type) => of(conditions, type).length < of(before, type).length).map((type) =>
    forbid(`remove a condition of type ${JSON.stringify(type)}`),
  );
  const written =
    subresource === "approval"
      ? []
      : VERDICTS.filter((type) => of(conditions, type).length > of(before, type).length).map((type) =>
          forbid(`add a condition of type ${JSON.stringify(type)}`),
        );
  return [...removed, ...written];
}

function overwriteErrors({ certificate }: Status, before: Status): FieldError[] {
  return before.certificate && certificate !== before.certificate
    ? [{ type: "FieldValueForbidden", field: "status.certificate", message: "Forbidden: updates may not modify existing certificate content" }]
    : [];
}

function certificateErrors({ certificate = "" }: Status, before: Status): FieldError[] {
  if (certificate === "" || equalJson(certificate, before.certificate)) return [];
  const text = Buffer.from(certificate, "base64").toString("latin1");
  const blocks = pemBlocks(text);
  const foreign = blocks.find(({ type }) => type !== "CERTIFICATE");
  const problem =
    blocks.length === 0
      ? "must contain at least one CERTIFICATE PEM block"
      : foreign
        ? `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(foreign.type)}`
        : blocks.some(({ body }) => body.includes(":"))
          ? "no PEM block headers are permitted"
          : undefined;
  return problem === undefined ? [] : [{ type: "FieldValueInvalid", field: "status.certificate", message: `Invalid value: "<certificate data>": ${problem}` }];
}

/** Blocks of PEM, found in one pass: one whose end is missing ends the search. */
function pemBlocks(text: string): { type: string; body: string }[] {
  const blocks: { type: string; body: string }[] = [];
  const begin = /-----BEGIN ([^-\n]{1,64})-----\r?\n/g;
  for (let found = begin.exec(text); found; found = begin.exec(text)) {
    const type = found[1] ?? "";
    const end = text.indexOf(`-----END ${type}-----`, begin.lastIndex);
    if (end < 0) break;
    blocks.push({ type, body: text.slice(begin.lastIndex, end) });
    begin.lastIndex = end;
  }
  return blocks;
}
