import { type Guide, type StepState, needsUser, stepStates } from "../guide/index.ts";
import { type ApiContext, ApiProblem, type Route, param } from "./router.ts";

/** A guide as the page shows it. */
export interface GuideAnswer {
  id: string;
  title: string;
  about: string;
  /** Workloads that the guide is about and that are not there. */
  missing: string[];
  hint: string;
  /** Another mesh's marks are not this one's: marks are kept under this. */
  mesh: string;
  steps: { number: number; section: string; title: string; text: string; command: string; run: boolean; needsUser: boolean; watched: boolean }[];
}

/** The metrics store scrapes once a second: asking more often would show nothing new. */
const STATE_EVERY_MS = 1_000;

export const GUIDE_ROUTES: Route[] = [
  { pattern: "/guides", answer: (_, { guides }) => guides.map(({ id, title }) => ({ id, title })) },
  { pattern: "/guides/:id", liveMs: 0, answer: (request, context) => guideAnswer(guideOf(param(request, "id"), context), context) },
  {
    pattern: "/guides/:id/state",
    liveMs: STATE_EVERY_MS,
    answer: (request, context): Promise<StepState[]> =>
      stepStates(guideOf(param(request, "id"), context), Number(request.query.get("since") ?? 0) || 0, {
        mesh: context.mesh,
        queries: context.queries,
        now: context.clock.now(),
      }),
  },
];

export function guideOf(id: string, { guides }: ApiContext): Guide {
  const guide = guides.find((candidate) => candidate.id === id);
  if (!guide) throw new ApiProblem(404, `no such guide: ${id}`);
  return guide;
}

function guideAnswer({ id, title, about, needs, steps }: Guide, { mesh }: ApiContext): GuideAnswer {
  const there = new Set(mesh.pods().map((pod) => `${pod.metadata.namespace}/${mesh.workloadByPod(pod.metadata.namespace ?? "", pod.metadata.name)?.workload}`));
  return {
    id,
    title,
    about,
    missing: needs.workloads.filter((workload) => !there.has(workload)),
    hint: needs.hint,
    mesh: mesh.namespaces().find(({ metadata }) => metadata.name === "kube-system")?.metadata.uid ?? "",
    steps: steps.map(({ run, done, ...step }) => ({
      ...step,
      run: run !== undefined,
      needsUser: run !== undefined && needsUser(run),
      watched: done.kind !== "shown",
    })),
  };
}
