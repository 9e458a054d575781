import type { Volume } from "../../resources/index.ts";
import { namedObjects } from "./proxy-container.ts";
import type { SidecarSettings } from "./settings.ts";

/** An API server fills this in for volumes of users; ours say it, so that a dry run shows what is stored. */
const DEFAULT_MODE = 420;
/** Half a day: Istio's life of the token that a CSR is authenticated with. The kubelet renews it in time. */
const TOKEN_SECONDS = 43_200;

/** The sidecar's volumes, in Istio's order. */
export function sidecarVolumes({ pod }: SidecarSettings): Volume[] {
  const annotations = pod.metadata.annotations ?? {};
  const bootstrap = annotations["sidecar.istio.io/bootstrapOverride"];
  const file = (path: string): { path: string; fieldRef: { apiVersion: string; fieldPath: string } } => ({
    path,
    fieldRef: { apiVersion: "v1", fieldPath: `metadata.${path}` },
  });
  return [
    { name: "workload-socket", emptyDir: {} },
    { name: "credential-socket", emptyDir: {} },
    { name: "workload-certs", emptyDir: {} },
    ...(bootstrap === undefined ? [] : [{ name: "custom-bootstrap-volume", configMap: { name: bootstrap, defaultMode: DEFAULT_MODE } }]),
    { name: "istio-envoy", emptyDir: { medium: "Memory" } },
    { name: "istio-data", emptyDir: {} },
    { name: "istio-podinfo", downwardAPI: { defaultMode: DEFAULT_MODE, items: [file("labels"), file("annotations")] } },
    {
      name: "istio-token",
      projected: {
        defaultMode: DEFAULT_MODE,
        sources: [{ serviceAccountToken: { audience: "istio-ca", expirationSeconds: TOKEN_SECONDS, path: "istio-token" } }],
      },
    },
    { name: "istiod-ca-cert", configMap: { defaultMode: DEFAULT_MODE, name: "istio-ca-root-cert" } },
    { name: "istio-ca-crl", configMap: { defaultMode: DEFAULT_MODE, name: "istio-ca-crl", optional: true } },
    ...Object.entries(namedObjects(annotations["sidecar.istio.io/userVolume"], "sidecar.istio.io/userVolume")).map(([name, volume]) => ({ ...volume, name })),
  ];
}
