import { isIPv4, isIPv6 } from "node:net";

const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const DURATION = /^(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w))+$|^0$/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const EMAIL = /^[^@\s]+@[^@\s]+$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const HOSTNAME = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?$/i;

const CHECKS: Record<string, (value: string) => boolean> = {
  "date-time": (value) => DATE_TIME.test(value) && !Number.isNaN(Date.parse(value)),
  datetime: (value) => DATE_TIME.test(value),
  date: (value) => /^\d{4}-\d{2}-\d{2}$/.test(value),
  duration: (value) => DURATION.test(value),
  uuid: (value) => UUID.test(value),
  email: (value) => EMAIL.test(value),
  byte: (value) => BASE64.test(value),
  ipv4: (value) => isIPv4(value),
  ipv6: (value) => isIPv6(value),
  ip: (value) => isIPv4(value) || isIPv6(value),
  cidr: (value) => /^[0-9a-f.:]+\/\d{1,3}$/i.test(value),
  hostname: (value) => value.length <= 255 && HOSTNAME.test(value),
  uri: (value) => URL.canParse(value),
};

/** Whether a string breaks a named format; unknown formats are not checked, as in Kubernetes. */
export function formatProblem(format: string, value: string): boolean {
  return CHECKS[format]?.(value) === false;
}
