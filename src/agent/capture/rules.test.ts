import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { captureConfig, captureRules, runIstioIptables, toNft } from "./index.ts";

const INJECTED = [
  "-p",
  "15001",
  "-z",
  "15006",
  "-u",
  "1337",
  "-m",
  "REDIRECT",
  "-i",
  "*",
  "-x",
  "",
  "-b",
  "*",
  "-d",
  "15090,15021,15020",
  "--log_output_level=default:info",
];

const rulesOf = (argv: string[], env = {}): Record<string, readonly string[]> =>
  Object.fromEntries(captureRules(captureConfig(argv, env)).chains.map(({ name, rules }) => [name, rules]));

/** One rule of iptables-save in nft's words; only the matches that Istio's rules use. */
function translate(line: string): [chain: string, rule: string] {
  const [, chain = "", ...words] = line.split(" ");
  const out: string[] = [];
  let negated = false;
  const match = (name: string, value: string): void => {
    out.push(`${name} ${negated ? "!= " : ""}${value}`);
    negated = false;
  };
  for (let at = 0; at < words.length; at++) {
    const value = words[at + 1] ?? "";
    switch (words[at]) {
      case "!":
        negated = true;
        continue;
      case "-s":
        match("ip saddr", value.replace("/32", ""));
        break;
      case "-d":
        match("ip daddr", value.replace("/32", ""));
        break;
      case "-o":
        match("oifname", `"${value}"`);
        break;
      case "-p":
        if (!words.includes("--dport")) out.push("meta l4proto tcp");
        break;
      case "--dport":
        match("tcp dport", value);
        break;
      case "--uid-owner":
        match("meta skuid", value);
        break;
      case "--gid-owner":
        match("meta skgid", value);
        break;
      case "--to-ports":
        out.push(`redirect to :${value}`);
        break;
      case "-j":
        if (value === "RETURN") out.push("return");
        else if (value !== "REDIRECT") out.push(`jump ${value}`);
        break;
      case "-m":
        break;
      default:
        throw new Error(`unknown word ${words[at]}`);
    }
    at++;
  }
  // nft has the interface first where iptables-save prints addresses first.
  out.sort((a, b) => Number(b.startsWith("oifname")) - Number(a.startsWith("oifname")));
  return [chain, out.join(" ")];
}

test("without the mark, the rules of an injected pod are Istio's own, chain by chain and in order", () => {
  const golden: Record<string, string[]> = {};
  for (const line of readFileSync(`${import.meta.dir}/../../../test/golden/iptables/iptables-save.txt`, "utf8").split("\n")) {
    if (!line.startsWith("-A ")) continue;
    const [chain, rule] = translate(line);
    (golden[chain] ??= []).push(rule);
  }
  const ours = rulesOf(INJECTED);
  const withoutMark = Object.fromEntries(
    Object.entries(ours).map(([chain, rules]) => [
      chain,
      rules.filter((rule) => !/meta mark 1337/.test(rule)).map((rule) => rule.replace(" meta mark != 1337", "")),
    ]),
  );
  expect(withoutMark).toEqual(golden);
});

test("wherever the proxy's user decides, its mark decides too", () => {
  const output = rulesOf(INJECTED).ISTIO_OUTPUT ?? [];
  for (const rule of output.filter((line) => line.includes("meta skuid 1337"))) expect(output).toContain(rule.replace("meta skuid 1337", "meta mark 1337"));
  expect(output).toContain('oifname "lo" meta skuid != 1337 meta mark != 1337 return');
});

test("included and excluded ports, ranges and interfaces, in Istio's order", () => {
  const rules = rulesOf([
    "-i",
    "10.0.0.0/8,172.16.0.1",
    "-x",
    "10.1.0.0/16",
    "-b",
    "80,443",
    "-o",
    "22",
    "-q",
    "9999",
    "-c",
    "eth6",
    "-k",
    "eth5",
    "-u",
    "1337",
    "-g",
    "1338",
  ]);
  expect(rules.ISTIO_INBOUND).toEqual(["tcp dport 15008 return", "tcp dport 80 jump ISTIO_IN_REDIRECT", "tcp dport 443 jump ISTIO_IN_REDIRECT"]);
  const output = rules.ISTIO_OUTPUT ?? [];
  expect(output[0]).toBe("tcp dport 22 return");
  expect(output.slice(-5)).toEqual([
    "ip daddr 127.0.0.1 return",
    "ip daddr 10.1.0.0/16 return",
    "tcp dport 9999 jump ISTIO_REDIRECT",
    "ip daddr 10.0.0.0/8 jump ISTIO_REDIRECT",
    "ip daddr 172.16.0.1 jump ISTIO_REDIRECT",
  ]);
  expect(output).toContain("meta skgid 1338 return");
  expect(rules.PREROUTING).toEqual([
    'iifname "eth6" return',
    'iifname "eth5" ip daddr 10.0.0.0/8 jump ISTIO_REDIRECT',
    'iifname "eth5" ip daddr 172.16.0.1 jump ISTIO_REDIRECT',
    'iifname "eth5" return',
    "meta l4proto tcp jump ISTIO_INBOUND",
  ]);
  expect(rulesOf(["-b", "", "-i", "*"]).PREROUTING).toEqual([]);
});

test("captured DNS: questions to the pod's name servers go to the agent, its own pass", () => {
  const { chains } = captureRules(captureConfig([...INJECTED, "--redirect-dns"], {}, () => ["10.96.0.10"]));
  const output = chains.find(({ name }) => name === "ISTIO_OUTPUT")?.rules ?? [];
  const at = output.indexOf("ip daddr 10.96.0.10 udp dport 53 redirect to :15053");
  expect(output[at + 1]).toBe("ip daddr 10.96.0.10 tcp dport 53 redirect to :15053");
  expect(at).toBeGreaterThan(output.indexOf("meta mark 1337 return"));
  expect(at).toBeLessThan(output.indexOf("ip daddr 127.0.0.1 return"));
  expect(captureConfig([], { ISTIO_META_DNS_CAPTURE: "true" }, () => ["10.96.0.10"]).dnsServers).toEqual(["10.96.0.10"]);
  expect(captureConfig([], {}, () => ["10.96.0.10"]).dnsServers).toEqual([]);
});

test("environment variables stand in for flags, and flags win", () => {
  expect(captureConfig([], { ENVOY_PORT: "16001" }).proxyPort).toBe(16001);
  expect(captureConfig(["--envoy-port=17001"], { ENVOY_PORT: "16001" }).proxyPort).toBe(17001);
});

test("what cannot be honoured is an error, so that the pod does not start half captured", () => {
  const config =
    (...argv: string[]) =>
    () =>
      captureConfig(argv, {});
  expect(config("-m", "TPROXY")).toThrow("interception mode TPROXY is not supported");
  expect(config("-d", "80;drop")).toThrow('"80;drop" is not a number');
  expect(config("-d", "70000")).toThrow("65535");
  expect(config("-x", "10.0.0.0/33")).toThrow("not an IPv4 range");
  expect(config("-c", 'eth0" accept')).toThrow("not an interface's name");
  expect(config("--no-such-flag")).toThrow("unknown flag: --no-such-flag");
  expect(config("-p", "0")).toThrow("not a port");
});

test("a dry run prints the transaction and writes nothing", () => {
  let printed = "";
  runIstioIptables([...INJECTED, "--dry-run"], {}, (text) => (printed += text));
  expect(printed).toContain("INBOUND_PORTS_EXCLUDE=15090,15021,15020");
  expect(printed).toContain(toNft(captureRules(captureConfig(INJECTED, {}))));
  expect(printed).not.toContain("Final nftables state");
});

const namespaces = Bun.spawnSync(["unshare", "--user", "--map-root-user", "--net", "true"]).success;
test.skipIf(!namespaces)("the kernel takes the rules, twice over, in a namespace of an ordinary user", () => {
  const program = `import { runIstioIptables } from ${JSON.stringify(`${import.meta.dir}/index.ts`)}; for (const _ of [1, 2]) runIstioIptables(${JSON.stringify(INJECTED)}, {}, (t) => process.stdout.write(t));`;
  const run = Bun.spawnSync(["unshare", "--user", "--map-root-user", "--net", process.execPath, "-e", program]);
  expect(run.stderr.toString()).toBe("");
  expect(run.exitCode).toBe(0);
  const state = run.stdout.toString().split("Final nftables state (IPv4):").at(-1) ?? "";
  expect(state.match(/jump ISTIO_INBOUND/g)).toHaveLength(1);
  expect(state).toContain("redirect to :15006");
});
