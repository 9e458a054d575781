/**
 * lab holds the workshop: its folder of manifests and certificates, the set-up that stands for its earlier parts, and the
 * check that runs its sixteen steps and looks at what each shows.
 * It drives the cluster only as a learner does, with kubectl, istioctl, curl, jq and openssl in a shell.
 * No other room knows of it but cli, which gives it the shell's environment.
 */
export { type StepOutcome, checkLab } from "./check.ts";
export { GATEWAY_HOST, writeLabFolder } from "./folder.ts";
export { labGuide } from "./guide.ts";
export { LAB_NAMESPACE, layDownEarlierLabs, resetLab, waitForLab } from "./setup.ts";
export { type Shell, createShell } from "./shell.ts";
