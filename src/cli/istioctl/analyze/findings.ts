import type { KubeObject } from "../../../resources/types.ts";
import type { World } from "./world.ts";

export type Level = "Error" | "Warning" | "Info";

/** One finding about one object. */
export interface Finding {
  readonly code: string;
  readonly about: KubeObject;
  readonly message: string;
  /** The field that it is about, as `.spec.gateways[0]`: its line is told where the object came from a file. */
  readonly path?: string;
}

/** Kinds that istioctl does not read from files: without a cluster an analyzer that needs one is left out. */
export type RuntimeKind = "Service" | "Namespace" | "Node" | "Pod" | "Secret";

export interface Analyzer {
  readonly name: string;
  readonly description: string;
  readonly needs: readonly RuntimeKind[];
  run(world: World): Finding[];
}

/** Istio's levels of the codes that are not errors. */
const LEVELS: Readonly<Record<string, Level>> = {
  ...Object.fromEntries(["0102", "0118", "0131", "0135", "0136", "0148", "0164"].map((code) => [`IST${code}`, "Info" as const])),
  ...Object.fromEntries(
    [
      "0002",
      "0103",
      "0107",
      "0108",
      "0116",
      "0123",
      "0125",
      "0127",
      "0128",
      "0129",
      "0130",
      "0132",
      "0133",
      "0134",
      "0137",
      "0138",
      "0140",
      "0144",
      "0146",
      "0150",
      "0151",
      "0155",
      "0157",
      "0158",
      "0162",
      "0163",
      "0165",
      "0166",
      "0167",
      "0168",
      "0169",
      "0170",
      "0171",
      "0172",
      "0174",
      "0175",
      "0176",
      "0177",
    ].map((code) => [`IST${code}`, "Warning" as const]),
  ),
  // Chainmail's own, apart from Istio's numbers.
  ...Object.fromEntries(["0001", "0002", "0003", "0004"].map((code) => [`CHM${code}`, "Warning" as const])),
};

/** Codes that exist, errors among them. */
const ERROR_CODES = [
  "0001",
  "0101",
  "0106",
  "0109",
  "0110",
  "0111",
  "0112",
  "0126",
  "0139",
  "0141",
  "0142",
  "0143",
  "0145",
  "0147",
  "0149",
  "0152",
  "0153",
  "0154",
  "0156",
  "0159",
  "0160",
  "0161",
  "0173",
].map((code) => `IST${code}`);

export function levelOf(code: string): Level {
  return LEVELS[code] ?? "Error";
}

/** Whether Istio's documentation explains the code. */
export function isIstioCode(code: string): boolean {
  return code.startsWith("IST");
}

export function isKnownCode(code: string): boolean {
  return code in LEVELS || ERROR_CODES.includes(code);
}

/** What several analyzers say of a name that leads nowhere. */
export function notFound(about: KubeObject, what: string, name: string, path?: string): Finding {
  return { code: "IST0101", about, message: `Referenced ${what} not found: ${JSON.stringify(name)}`, ...(path !== undefined && { path }) };
}

/** A list as Go prints it. */
export function goList(items: readonly (string | number)[]): string {
  return `[${items.join(" ")}]`;
}
