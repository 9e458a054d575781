/** A group of command lines that both istioctls must answer alike: standard output, standard error and exit code. */
export interface LineGroup {
  readonly name: string;
  readonly lines: readonly string[];
}

const WEB = "deploy/web-api.istioinaction";
const GATEWAY = "deploy/istio-ingressgateway.istio-system";
const RECOMMENDATION = "recommendation.istioinaction.svc.cluster.local";

/** The pods' names are put in for $WEB_POD, $RECOMMENDATION_POD and $GATEWAY_POD, test files for $DATA, $MISTYPED and $PODS. */
export const LINES: readonly LineGroup[] = [
  {
    name: "proxy-config: clusters, secrets, bootstrap",
    lines: [
      ...["", "-o json", "-o yaml", "-o xml", `--fqdn ${RECOMMENDATION}`, "--fqdn recommendation", "--port 8080", "--port abc", "--direction inbound", "--direction sideways", "--subset v1", "--subset v1 --port 8080 -o json", "extra", "--nosuchflag"].map((flags) => `pc cluster ${WEB} ${flags}`),
      ...["", "-o json", "-o yaml", "-o xml", "-n nosuch", "--vklog 0"].map((flags) => `proxy-config secret ${WEB} ${flags}`),
      ...["", "-o yaml", "-o short", "-o nosuch"].map((flags) => `pc bootstrap ${WEB} ${flags}`),
      `pc cluster ${GATEWAY}`,
      `pc secret ${GATEWAY}`,
      "pc cluster deploy/sleep.istioinaction",
      ...["nosuch", "deploy/nosuch", "sts/nosuch", "svc/web-api", "job/web-api", "foo/web-api"].map((target) => `pc cluster ${target} -n istioinaction`),
      "pc cluster",
      "pc",
      "pc rootca-compare nosuch",
    ],
  },
  {
    name: "proxy-config: listeners, routes",
    lines: [
      ...["", "-o json", "-o yaml", "-o xml", "--port 15006", "--port 15006 -o json", "--type HTTP", "--type TCP", "--address 0.0.0.0", "--address 0.0.0.0 --port 15001 -o yaml", "--verbose=false"].map((flags) => `pc listener ${WEB} ${flags}`),
      ...["", "-o json", "-o yaml", "-o xml", "--name 8080", "--name 8080 -o json", "--name nosuch", "--verbose=false"].map((flags) => `pc route ${WEB} ${flags}`),
      `pc route ${GATEWAY}`,
      `pc listener ${GATEWAY}`,
      "pc route deploy/sleep.istioinaction",
      "pc listener deploy/sleep.istioinaction",
    ],
  },
  {
    name: "proxy-config: endpoints, extensions, everything",
    lines: [
      ...["", "-o json", "-o yaml", "-o xml", "--port 8080", "--status unhealthy", "--status healthy", "--status nope", `--cluster 'outbound|8080||${RECOMMENDATION}'`, "--address 127.0.0.1"].map((flags) => `pc endpoint ${WEB} ${flags}`),
      `pc ecds ${WEB}`,
      `pc ecds ${WEB} -o json`,
      ...["", "-o short", "-o yaml", "-o json", "-o xml", "--with-headers", `--fqdn ${RECOMMENDATION}`, "--port 8080"].map((flags) => `pc all ${WEB} ${flags}`),
    ],
  },
  {
    name: "proxy-config: log levels",
    lines: ["", "--level debug", "--level rbac:debug", "--level http=info,rbac:debug", "--level nosuch", "--level nosuch:debug", "--level debug -r", "-o json", "--level warning"].map((flags) => `pc log ${WEB} ${flags}`),
  },
  {
    name: "proxy-status, version, remote clusters, debug pages",
    lines: [
      ...["", "-o json", "-o yaml", "-o xml", "-n istioinaction", "-n istioinaction -o json", "-n nosuch", "-r default", "--nosuch", WEB, "deploy/sleep -n istioinaction", "deploy/istio-ingressgateway -n istio-system", "nosuch.istioinaction", `${WEB} -o json`].map((flags) => `ps ${flags}`),
      "x ps",
      "version -o xml",
      "remote-clusters",
      ...["syncz", "-L", "--list", "", "nosuch", "edsz", "'edsz?proxyID=$WEB_POD.istioinaction'", "adsz", "mesh", "clusterz", "syncz --all"].map((page) => `x internal-debug ${page}`),
    ],
  },
  {
    name: "describe, authz check",
    lines: [
      ...["$WEB_POD.istioinaction", "$WEB_POD -n istioinaction", "$RECOMMENDATION_POD.istioinaction", "$GATEWAY_POD.istio-system", "nosuch -n istioinaction", "", "$WEB_POD.istioinaction --ignoreUnmeshed"].map((target) => `x describe pod ${target}`),
      ...["web-api -n istioinaction", "web-api.istioinaction", "recommendation.istioinaction", "purchase-history.istioinaction", "istio-ingressgateway.istio-system", "istiod.istio-system", "kubernetes.default", "nosuch.istioinaction", ""].map((target) => `x describe service ${target}`),
      "x describe",
      "x describe nosuch",
      ...[WEB, "deploy/sleep.istioinaction", GATEWAY, "nosuch.istioinaction", "", "deploy/istiod.istio-system"].map((target) => `x authz check ${target}`),
      "x authz",
      "authz check deploy/web-api",
    ],
  },
  {
    name: "injection, tags, revisions, prechecks",
    lines: [
      ...[WEB, "deploy/web-api -n istioinaction", "deploy/istiod -n istio-system", "-n istioinaction -l app=web-api", "-n default -l app=foo,version=v1", "nosuch -n istioinaction", ""].map((target) => `x check-inject ${target}`),
      "x injector list",
      "x injector",
      ...["", "-o json", "-o yaml", "-n istioinaction", "--skip-controlplane", "--from-version 1.20"].map((flags) => `x precheck ${flags}`),
      "precheck",
      ...["list", "list -o json", "list -o yaml", "list -o xml", "generate", "generate prod", "generate prod --revision nosuch", "set prod", "set prod --revision nosuch", "remove nosuch", "remove nosuch -y", "remove", "nosuch", ""].map((words) => `tag ${words}`),
    ],
  },
  {
    name: "sidecars in files, several ports, flags before a command",
    lines: [
      "kube-inject -f $PODS",
      "kube-inject -f $PODS -r default",
      "kube-inject",
      ...["ports.istioinaction", "ports -n istioinaction"].map((target) => `x describe service ${target}`),
      "pc cluster deploy/sleep.istioinaction --fqdn ports",
      "pc cluster deploy/sleep.istioinaction --fqdn ports.istioinaction -o yaml",
      "pc -o json secret deploy/sleep.istioinaction",
      "-n istioinaction pc route deploy/sleep",
      ...["--xds-label app=istiod", "--xds-port 15012 --timeout 20s", "--insecure", "--xds-label app=nosuch", "-f x"].map((flags) => `ps ${flags}`),
    ],
  },
  {
    name: "analyze",
    lines: [
      ...["-n istioinaction", "-n default", "-A", "", "-A -o json", "-A -o yaml", "-A -o xml", "-L", "-n nosuch", "--revision nosuch -n default", "--nosuch"].map((flags) => `analyze ${flags}`),
      ...["", "-o json", "-o yaml"].map((flags) => `analyze -n istioinaction $DATA/input.yaml ${flags}`),
      ...["", "-n istioinaction", "--color=false", "--color"].map((flags) => `analyze --use-kube=false $DATA/input.yaml ${flags}`),
      ...["", "-A", "-A -o json", "-A -o yaml", "-A --output-threshold Error", "-A --output-threshold Warning --failure-threshold Info", "-A --failure-threshold Nope", '-A --suppress "IST0101=*"', '-A -S "IST0101=VirtualService shop/*"', '-A -S "IST0101"', '-A -S "NOPE=*"'].map((flags) => `analyze --use-kube=false $DATA/mistakes.yaml ${flags}`),
      "analyze --use-kube=false $MISTYPED",
      "analyze --use-kube=false -R=false $DATA",
      "analyze --use-kube=false $DATA/nosuch.yaml",
      "analyze --use-kube=false",
    ],
  },
  {
    name: "validate, and what is not there",
    lines: [
      ...["-f $DATA/input.yaml", "-f $DATA/mistakes.yaml", "$DATA/input.yaml", "-f $DATA/input.yaml -f $DATA/mistakes.yaml", "-f $DATA/nosuch.yaml", "-f $MISTYPED", "-f -", "--nosuch", ""].map((flags) => `validate ${flags}`),
      "nosuch",
      "profile list",
      "verify-install",
      "x nosuch",
      "dashboard nosuch",
      "dashboard kiali -i nosuch",
      "dashboard envoy",
      "dashboard envoy nosuch.istioinaction",
      "completion nosuch",
    ],
  },
];
