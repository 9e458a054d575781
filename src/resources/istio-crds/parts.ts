/** Pieces that several of Istio's schemas share. Structural schemas: no references, each use is its own copy of the data. */
import { bool, obj, plainList, str } from "../schema/dsl.ts";
import type { Schema } from "../types.ts";

export type Rule = { rule: string; message: string };

/** CEL rules. */
export const rules = (...list: Rule[]): Schema => ({ "x-kubernetes-validations": list });
export const rule = (rule: string, message: string): Rule => ({ rule, message });

/** A schema with the sentence that `kubectl explain` shows. */
export const doc = (description: string, schema: Schema): Schema => ({ ...schema, description });

export const strings = plainList(str);
export const uint32: Schema = { type: "integer", minimum: 0, maximum: 4294967295 };
export const unsigned: Schema = { type: "integer", minimum: 0 };
export const nullable = (schema: Schema): Schema => ({ ...schema, nullable: true });
export const optionalBool = nullable(bool);
export const enumOf = (...values: string[]): Schema => ({ type: "string", enum: values });
export const text = (minLength: number, maxLength?: number): Schema => ({ type: "string", minLength, ...(maxLength === undefined ? {} : { maxLength }) });
export const upTo = (maxLength: number): Schema => ({ type: "string", maxLength });

export const duration: Schema = { type: "string", ...rules(rule("duration(self) >= duration('1ms')", "must be a valid duration greater than 1ms")) };
export const port: Schema = { ...uint32, ...rules(rule("0 < self && self <= 65535", "port must be between 1-65535")) };

/** At most one of `fields`, as protobuf's oneof. */
export function oneOf(...fields: string[]): Schema {
  const each = fields.map((field) => ({ required: [field] }));
  return { oneOf: [{ not: { anyOf: each } }, ...each] };
}

/** `has(self.a) ? 1 : 0` summed over fields. */
export const countOf = (...fields: string[]) => fields.map((field) => `(has(self.${field}) ? 1 : 0)`).join(" + ");

const noWildcardKey = [
  rule('self.all(key, !key.contains("*"))', "wildcard not allowed in label key match"),
  rule("self.all(key, key.size() != 0)", "key must not be empty"),
];

/** Which workloads of the namespace a policy is for. */
export const workloadSelector: Schema = obj({
  matchLabels: {
    type: "object",
    maxProperties: 4096,
    additionalProperties: { ...upTo(63), ...rules(rule('!self.contains("*")', "wildcard not allowed in label value match")) },
    ...rules(...noWildcardKey),
  },
});

/** The networking kinds' own form of it. */
export const labelsSelector: Schema = obj({
  labels: {
    type: "object",
    maxProperties: 256,
    additionalProperties: { ...upTo(63), ...rules(rule('!self.contains("*")', "wildcard is not supported in selector")) },
  },
});

const DNS_SUBDOMAIN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

export const targetRef: Schema = obj({
  group: { ...upTo(253), pattern: `^$|^${DNS_SUBDOMAIN}$` },
  "kind!": { ...text(1, 63), pattern: "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$" },
  "name!": text(1, 253),
  namespace: { type: "string", ...rules(rule("self.size() == 0", "cross namespace referencing is not currently supported")) },
});

/** selector, targetRef and targetRefs, of which only one may be set. */
export const attachment: Record<string, Schema> = {
  selector: doc("Labels of the workloads it is for; without them all of the namespace, or of the mesh in the root namespace.", workloadSelector),
  targetRef: doc("The one Gateway or Service it is for.", targetRef),
  targetRefs: doc("The Gateways or Services it is for.", plainList(targetRef, { maxItems: 16 })),
};
export const oneAttachment = rule(`${countOf("selector", "targetRef", "targetRefs")} <= 1`, "only one of targetRefs or selector can be set");

const intOrString: Schema = { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true };
const dateTime: Schema = { type: "string", format: "date-time" };

/** status of every Istio kind. */
export function istioStatus(): Schema {
  return obj(
    {
      conditions: plainList(
        obj({ lastProbeTime: dateTime, lastTransitionTime: dateTime, message: str, observedGeneration: intOrString, reason: str, status: str, type: str }),
      ),
      observedGeneration: intOrString,
      validationMessages: plainList(obj({ documentationUrl: str, level: enumOf("UNKNOWN", "ERROR", "WARNING", "INFO"), type: obj({ code: str, name: str }) })),
    },
    { "x-kubernetes-preserve-unknown-fields": true },
  );
}
