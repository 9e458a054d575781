/**
 * guide walks a reader through a task, step by step beside the live graph: what to do, a way to do it from the page, and a
 * mark once it has really been done.
 * A guide is data (see model.ts) that others lay beside the program; whether a step is done is read from the mesh's objects,
 * its metrics, or what the reader was just shown.
 * What a step runs is in the guide alone: a request names a step, never a command.
 */
export { type Guide, type GuideStep, parseGuide, readGuides } from "./model.ts";
export { type StepState, stepStates } from "./conditions.ts";
export { type RunOutcome, type Runners, needsUser, runStep } from "./run.ts";
