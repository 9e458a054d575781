import { InjectionError } from "../errors.ts";

/** A template that cannot be parsed, or whose run failed: the pod is not injected, and told why. */
export class TemplateError extends InjectionError {
  constructor(message: string) {
    super(`template: inject: ${message}`);
  }
}
