/** Definitions and objects of the kinds that the scripts of custom resources make. */
import { cluster, object, pause } from "./dsl.ts";

export const CRDS = cluster("apiextensions.k8s.io/v1/customresourcedefinitions");
export const definition = (plural: string, kind: string, schema: object, more: { version?: object; spec?: object } = {}): object =>
  object("apiextensions.k8s.io/v1", "CustomResourceDefinition", `${plural}.e.io`, {
    spec: {
      group: "e.io",
      scope: "Namespaced",
      names: { plural, kind },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: { spec: { type: "object", ...schema }, status: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
            },
          },
          ...more.version,
        },
      ],
      ...more.spec,
    },
  });
/** Definitions are served a moment after they are made. */
export const WAIT = pause(1_500);
export const thing = (kind: string, name: string, spec: object, more: object = {}): object => object("e.io/v1", kind, name, { spec, ...more });
export const bare = (plural: string, more: object): object =>
  object("apiextensions.k8s.io/v1", "CustomResourceDefinition", `${plural}.e.io`, {
    spec: {
      group: "e.io",
      scope: "Namespaced",
      names: { plural, kind: "Bare" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
      ...more,
    },
  });
export const withSchema = (schema: object): object =>
  bare("bares", { versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }] });
export const noTimes = (body: unknown): unknown => {
  const { spec, metadata } = body as { spec?: unknown; metadata?: { name?: string } };
  return spec ? { name: metadata?.name, spec } : body;
};
