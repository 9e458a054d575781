import type { Webhook, WebhookConfiguration } from "../core.ts";
import type { FieldError } from "../types.ts";
import { duplicate, invalid, invalids, oneOf, required, Unique } from "./field.ts";
import { validateSelector } from "./metadata.ts";
import { dns1035Label, dns1123Subdomain, portNumber, qualifiedName } from "./names.ts";
import { validateMatchRule } from "./policies.ts";

const WANTED = "'https' is the only allowed URL scheme; desired format: https://host[/path]";

export function validateWebhooks(configuration: WebhookConfiguration): FieldError[] {
  const names = new Unique();
  return (configuration.webhooks ?? []).flatMap((webhook, index) => [
    ...validateWebhook(webhook, `webhooks[${index}]`),
    ...names.check(`webhooks[${index}].name`, webhook.name),
  ]);
}

function validateWebhook(webhook: Webhook, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!webhook.name) errors.push(required(`${field}.name`));
  else {
    const problems = dns1123Subdomain(webhook.name);
    errors.push(...invalids(`${field}.name`, webhook.name, problems));
    if (problems.length === 0 && webhook.name.split(".").length < 3)
      errors.push(invalid(`${field}.name`, webhook.name, "should be a domain with at least three segments separated by dots"));
  }
  errors.push(...validateVersions(webhook.admissionReviewVersions ?? [], `${field}.admissionReviewVersions`));
  for (const [index, rule] of (webhook.rules ?? []).entries()) errors.push(...validateMatchRule(rule, `${field}.rules[${index}]`));
  if (webhook.failurePolicy) errors.push(...oneOf(`${field}.failurePolicy`, webhook.failurePolicy, ["Fail", "Ignore"]));
  if (webhook.matchPolicy) errors.push(...oneOf(`${field}.matchPolicy`, webhook.matchPolicy, ["Equivalent", "Exact"]));
  if (!webhook.sideEffects) errors.push(required(`${field}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else errors.push(...oneOf(`${field}.sideEffects`, webhook.sideEffects, ["None", "NoneOnDryRun"]));
  const seconds = webhook.timeoutSeconds;
  if (seconds !== undefined && (seconds < 1 || seconds > 30))
    errors.push(invalid(`${field}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds"));
  errors.push(
    ...validateSelector(webhook.namespaceSelector, `${field}.namespaceSelector`),
    ...validateSelector(webhook.objectSelector, `${field}.objectSelector`),
  );
  errors.push(...validateClient(webhook.clientConfig ?? {}, `${field}.clientConfig`));
  return [...errors, ...validateConditions(webhook.matchConditions ?? [], `${field}.matchConditions`)];
}

function validateVersions(versions: readonly string[], field: string): FieldError[] {
  if (versions.length === 0) return [required(field, "must specify one of v1, v1beta1")];
  const errors: FieldError[] = [];
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) errors.push(invalid(`${field}[${index}]`, version, "duplicate version"));
    errors.push(...invalids(`${field}[${index}]`, version, dns1035Label(version)));
  }
  if (errors.length === 0 && !versions.some((version) => version === "v1" || version === "v1beta1"))
    errors.push(invalid(field, versions, "must include at least one of v1, v1beta1"));
  return errors;
}

function validateClient({ url, service }: Partial<Webhook["clientConfig"]>, field: string): FieldError[] {
  if ((url === undefined) === (service === undefined)) return [required(field, "exactly one of url or service is required")];
  if (url !== undefined) return validateUrl(url, `${field}.url`);
  const { name, namespace, path, port = 443 } = service ?? {};
  const at = `${field}.service`;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${at}.name`));
  if (!namespace) errors.push(required(`${at}.namespace`));
  if (path !== undefined && path !== "/") errors.push(...validatePath(path, `${at}.path`));
  return [
    ...errors,
    ...invalids(
      `${at}.port`,
      port,
      portNumber(port).map((problem) => `port is not valid: ${problem}`),
    ),
  ];
}

function validateUrl(url: string, field: string): FieldError[] {
  if (!URL.canParse(url)) return [invalid(field, url, `url must be a valid URL: ${WANTED}`)];
  const { protocol, host, username, search, hash } = new URL(url);
  const errors: FieldError[] = [];
  if (protocol !== "https:") errors.push(invalid(field, protocol.slice(0, -1), WANTED));
  if (host === "") errors.push(invalid(field, host, `host must be specified; ${WANTED}`));
  if (username !== "") errors.push(invalid(field, username, "user information is not permitted in the URL"));
  if (hash !== "") errors.push(invalid(field, hash.slice(1), "fragments are not permitted in the URL"));
  if (search !== "") errors.push(invalid(field, search.slice(1), "query parameters are not permitted in the URL"));
  return errors;
}

function validatePath(path: string, field: string): FieldError[] {
  const errors = path.startsWith("/") ? [] : [invalid(field, path, "must start with a '/'")];
  const segments = path.split("/").slice(1, path.endsWith("/") ? -1 : undefined);
  if (!path.startsWith("/")) return [...errors, invalid(field, path, "segment[0] may not be empty")];
  for (const [index, segment] of segments.entries()) {
    if (segment === "") errors.push(invalid(field, path, `segment[${index}] may not be empty`));
    else errors.push(...dns1123Subdomain(segment).map((problem) => invalid(field, path, `segment[${index}]: ${problem}`)));
  }
  return errors;
}

function validateConditions(conditions: readonly { name?: string; expression?: string }[], field: string): FieldError[] {
  const seen = new Set<string>();
  return conditions.flatMap(({ name = "", expression = "" }, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (expression.trim() === "") errors.push(required(`${at}.expression`));
    if (name === "") errors.push(required(`${at}.name`));
    else errors.push(...invalids(`${at}.name`, name, qualifiedName(name)));
    if (name !== "" && seen.has(name)) errors.push(duplicate(`${at}.name`, name));
    seen.add(name);
    return errors;
  });
}
