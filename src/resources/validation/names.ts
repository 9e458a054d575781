/** Names, labels, ports, addresses: each function lists what is wrong with a text, in Kubernetes' words. */

const DNS1123_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS1123_SUBDOMAIN = `${DNS1123_LABEL}(\\.${DNS1123_LABEL})*`;
const DNS1035_LABEL = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = `(${QUALIFIED_NAME})?`;
const CONFIG_KEY = "[-._a-zA-Z0-9]+";

type Check = (text: string) => string[];

const plainDns1123Label: Check = checked(
  63,
  DNS1123_LABEL,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  ["my-name", "123-abc"],
);
/** Of what would do as a subdomain, only the dots are wrong. */
export const dns1123Label: Check = (text) => {
  const problems = plainDns1123Label(text);
  return problems.length === 1 && text.length <= 63 && new RegExp(`^${DNS1123_SUBDOMAIN}$`).test(text) ? ["must not contain dots"] : problems;
};

export const dns1123Subdomain: Check = checked(
  253,
  DNS1123_SUBDOMAIN,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  ["example.com"],
);
export const dns1035Label: Check = checked(
  63,
  DNS1035_LABEL,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  ["my-name", "abc-123"],
);
export const labelValue: Check = checked(
  63,
  LABEL_VALUE,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyValue", "my_value", "12345"],
);
const configKeyPattern = checked(253, CONFIG_KEY, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", [
  "key.name",
  "KEY_NAME",
  "key-name",
]);

export const configKey: Check = (text) => {
  const problems = configKeyPattern(text);
  if (text === ".") problems.push("must not be '.'");
  if (text === "..") problems.push("must not be '..'");
  else if (text.startsWith("..")) problems.push("must not start with '..'");
  return problems;
};

const qualifiedNamePart = checked(
  63,
  QUALIFIED_NAME,
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyName", "my.name", "123-abc"],
);

/** A label's key, an annotation's, a finalizer: `name` or `prefix.dns/name`. */
export const qualifiedName: Check = (text) => {
  const parts = text.split("/");
  const problems: string[] = [];
  const [first = "", second] = parts;
  if (parts.length > 2) {
    return [
      `a qualified name ${message("must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", QUALIFIED_NAME, ["MyName", "my.name", "123-abc"])} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = second ?? first;
  if (second !== undefined) {
    if (first === "") problems.push("prefix part must be non-empty");
    else problems.push(...dns1123Subdomain(first).map((problem) => `prefix part ${problem}`));
  }
  if (name === "")
    problems.push(
      "name part must be non-empty",
      `name part ${message("must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", QUALIFIED_NAME, ["MyName", "my.name", "123-abc"])}`,
    );
  else problems.push(...qualifiedNamePart(name).map((problem) => `name part ${problem}`));
  return problems;
};

/** Names of RBAC objects: anything that can be one segment of a path. */
export const pathSegment: Check = (text) => {
  if (text === "." || text === "..") return [`may not be '${text}'`];
  return ["/", "%"].filter((character) => text.includes(character)).map((character) => `may not contain '${character}'`);
};

/** A port's name: an IANA service name. */
export const portName: Check = (text) => {
  const problems: string[] = [];
  if (text.length > 15) problems.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(text)) problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(text)) problems.push("must contain at least one letter (a-z)");
  if (text.includes("--")) problems.push("must not contain consecutive hyphens");
  if (text.startsWith("-") || text.endsWith("-")) problems.push("must not begin or end with a hyphen");
  return problems;
};

export function portNumber(port: number): string[] {
  return port >= 1 && port <= 65535 ? [] : ["must be between 1 and 65535, inclusive"];
}

/** Search domains may have underscores, as services of old have. */
export const underscoredSubdomain: Check = checked(
  253,
  "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  ["example.com"],
);

export const wildcardSubdomain: Check = checked(
  253,
  `\\*\\.${DNS1123_SUBDOMAIN}`,
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  ["*.example.com"],
);

/** A controller's name: `example.com/x`. */
export const domainPath: Check = (text) => {
  const [domain = "", ...path] = text.split("/");
  return domain !== "" && path.join("/") !== "" && dns1123Subdomain(domain).length === 0 ? [] : ['must be a domain-prefixed path (such as "acme.io/foo")'];
};

export const headerName: Check = (text) =>
  /^[-A-Za-z0-9]+$/.test(text) ? [] : [message("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", ["X-Header-Name"])];

const envName = /^[ -<>-~]+$/;

/** Since Kubernetes 1.30 an environment variable may have any printable name but for "=". */
export const environmentName: Check = (text) =>
  envName.test(text) ? [] : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

export function ipv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.map(Number);
}

export function isIpv6(text: string): boolean {
  if (!text.includes(":") || text.includes("%")) return false;
  try {
    return new URL(`http://[${text}]/`).hostname !== "";
  } catch {
    return false;
  }
}

export const ipAddress: Check = (text) => (ipv4(text) || isIpv6(text) ? [] : ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]);

function checked(maxLength: number, pattern: string, text: string, examples: string[]): Check {
  const whole = new RegExp(`^${pattern}$`);
  return (value) => {
    const problems: string[] = [];
    if (value.length > maxLength) problems.push(`must be no more than ${maxLength} characters`);
    // Beyond the limit the pattern adds nothing, and a very long text should not be matched.
    if (value.length > 4 * maxLength || !whole.test(value)) problems.push(message(text, pattern, examples));
    return problems;
  };
}

function message(text: string, pattern: string, examples: string[]): string {
  return `${text} (e.g. ${examples.map((example) => `'${example}'`).join(",  or ")}, regex used for validation is '${pattern}')`;
}

/** `example.com/signer-name`: a domain of at least two labels and a path of subdomains. */
export function signerName(value: string): { domain: string[]; path: string[]; shape: string[] } {
  const segments = value.split("/");
  if (segments.length !== 2) return { domain: [], path: [], shape: ["must be a fully qualified domain and path of the form 'example.com/signer-name'"] };
  const [domain = "", path = ""] = segments;
  const labels = domain.split(".");
  const bad = labels.find((label) => dns1123Label(label).length > 0);
  const domainProblems = bad === undefined ? [] : dns1123Label(bad).map((problem) => `validating label ${JSON.stringify(bad)}: ${problem}`);
  if (labels.length < 2) domainProblems.push("should be a domain with at least two segments separated by dots");
  const badPath = path.split(".").find((label) => dns1123Subdomain(label).length > 0);
  return {
    domain: domainProblems,
    path: badPath === undefined ? [] : dns1123Subdomain(badPath).map((problem) => `validating label ${JSON.stringify(badPath)}: ${problem}`),
    shape: [],
  };
}
