import type { Container, Probe, ProbeHandler } from "../../core.ts";
import type { FieldError } from "../../types.ts";
import { forbidden, invalid, invalids, nonNegative, oneOf, required } from "../field.ts";
import { headerName, portName, portNumber } from "../names.ts";

type OwnProbe = Probe & { terminationGracePeriodSeconds?: number };

/** Probes and hooks of a container that may have them. `grace`: the pod's, within which hooks have to end. */
export function validateProbesAndHooks(container: Container, field: string, grace: number | undefined): FieldError[] {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  const errors: FieldError[] = [];
  for (const hook of ["postStart", "preStop"] as const) {
    const handler = lifecycle?.[hook];
    if (handler) errors.push(...validateHandler(handler, `${field}.lifecycle.${hook}`, grace));
  }
  const once = (probe: Probe, at: string) =>
    probe.successThreshold !== undefined && probe.successThreshold !== 1 ? [invalid(`${at}.successThreshold`, probe.successThreshold, "must be 1")] : [];
  if (livenessProbe) errors.push(...validateProbe(livenessProbe, `${field}.livenessProbe`, grace), ...once(livenessProbe, `${field}.livenessProbe`));
  if (readinessProbe) {
    const at = `${field}.readinessProbe`;
    errors.push(...validateProbe(readinessProbe, at, grace));
    const seconds = (readinessProbe as OwnProbe).terminationGracePeriodSeconds;
    if (seconds !== undefined) errors.push(invalid(`${at}.terminationGracePeriodSeconds`, seconds, "must not be set for readinessProbes"));
  }
  if (startupProbe) errors.push(...validateProbe(startupProbe, `${field}.startupProbe`, grace), ...once(startupProbe, `${field}.startupProbe`));
  return errors;
}

/** Containers that run to their end before others begin are asked nothing. */
export function forbiddenInInit({ lifecycle, livenessProbe, readinessProbe, startupProbe }: Container, field: string): FieldError[] {
  return Object.entries({ lifecycle, livenessProbe, readinessProbe, startupProbe })
    .filter(([, value]) => value)
    .map(([name]) => forbidden(`${field}.${name}`, "may not be set for init containers without restartPolicy=Always"));
}

function validateProbe(probe: OwnProbe, field: string, grace: number | undefined): FieldError[] {
  const errors = validateHandler(probe, field, grace);
  for (const name of ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] as const)
    errors.push(...nonNegative(`${field}.${name}`, probe[name]));
  const seconds = probe.terminationGracePeriodSeconds;
  if (seconds !== undefined && seconds <= 0) errors.push(invalid(`${field}.terminationGracePeriodSeconds`, seconds, "must be greater than 0"));
  return errors;
}

function validateHandler(handler: ProbeHandler, field: string, grace: number | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const kinds = (["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const).filter((kind) => handler[kind]);
  for (const [index, kind] of kinds.entries()) {
    if (index > 0) errors.push(forbidden(`${field}.${kind}`, "may not specify more than 1 handler type"));
    else errors.push(...validateAction(handler, kind, field, grace));
  }
  if (kinds.length === 0) errors.push(required(field, "must specify a handler type"));
  return errors;
}

function validateAction(
  handler: ProbeHandler,
  kind: "exec" | "httpGet" | "tcpSocket" | "grpc" | "sleep",
  field: string,
  grace: number | undefined,
): FieldError[] {
  const at = `${field}.${kind}`;
  switch (kind) {
    case "exec":
      return handler.exec?.command?.length ? [] : [required(`${at}.command`)];
    case "httpGet": {
      const {
        path,
        port,
        scheme,
        httpHeaders = [],
      } = handler.httpGet as { path?: string; port?: number | string; scheme?: string; httpHeaders?: { name: string }[] };
      const errors = path === undefined || path === "" ? [required(`${at}.path`)] : [];
      errors.push(...validatePort(port, `${at}.port`), ...oneOf(`${at}.scheme`, scheme, ["HTTP", "HTTPS"]));
      for (const { name } of httpHeaders) errors.push(...invalids(`${at}.httpHeaders`, name, headerName(name)));
      return errors;
    }
    case "tcpSocket":
      return validatePort(handler.tcpSocket?.port, `${at}.port`);
    case "grpc":
      return invalids(`${at}.port`, handler.grpc?.port ?? 0, portNumber(handler.grpc?.port ?? 0));
    case "sleep": {
      const seconds = (handler.sleep as { seconds?: number }).seconds ?? 0;
      return grace !== undefined && (seconds < 0 || seconds > grace)
        ? [invalid(at, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`)]
        : [];
    }
  }
}

function validatePort(port: number | string | undefined, field: string): FieldError[] {
  return typeof port === "string" ? invalids(field, port, portName(port)) : invalids(field, port ?? 0, portNumber(port ?? 0));
}
