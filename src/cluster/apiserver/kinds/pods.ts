import type { KubeObject, Pod } from "../../../resources/index.ts";
import { equalJson } from "../json.ts";
import type { KindStrategy } from "../rest/context.ts";

const APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/";

interface Profile {
  type: string;
  localhostProfile?: string;
}

interface Secured {
  securityContext?: { appArmorProfile?: Profile };
}

/** The annotations that AppArmor had before it had fields are read into these, with a warning. */
export const podStrategy: KindStrategy = {
  prepareCreate(object: KubeObject, _dryRun, _user, warnings) {
    const { metadata, spec } = object as Pod;
    const annotations = metadata.annotations ?? {};
    if (!spec || (spec as { os?: { name?: string } }).os?.name === "windows" || !Object.keys(annotations).some((key) => key.startsWith(APPARMOR_ANNOTATION)))
      return undefined;
    const ofPod = (spec as Secured).securityContext?.appArmorProfile;
    for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
      const key = APPARMOR_ANNOTATION + container.name;
      const annotation = annotations[key];
      const secured = container as Secured;
      if (annotation === undefined || secured.securityContext?.appArmorProfile) continue;
      const profile = profileOf(annotation);
      const isNew = profile !== undefined && !equalJson(profile, ofPod);
      if (isNew) secured.securityContext = { ...secured.securityContext, appArmorProfile: profile };
      if (isNew || !profile) warnings.push(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
    }
    return undefined;
  },
};

function profileOf(annotation: string): Profile | undefined {
  if (annotation === "unconfined") return { type: "Unconfined" };
  if (annotation === "runtime/default") return { type: "RuntimeDefault" };
  const local = /^localhost\/(.+)$/s.exec(annotation)?.[1];
  // A name with space around it is no valid field.
  return local !== undefined && local.trim() === local ? { type: "Localhost", localhostProfile: local } : undefined;
}
