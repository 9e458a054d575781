import { Component, type ReactNode, useEffect, useState } from "react";
import type { Watched } from "../live.ts";

/** Nothing for the first moment, so that what is quick does not flicker. */
export function Loading({ what = "the page" }: { what?: string }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p className="loading" role="status">
      {shown ? `Reading ${what}…` : ""}
    </p>
  );
}

/** What stands in the way, and what to do about it. Old data below it stays readable. */
export function Problem({ of }: { of: Watched<unknown> }) {
  if (!of.problem) return null;
  return (
    <div className="problem" role="alert">
      <strong>{of.problem.message}</strong>
      {of.data !== undefined && <span> What is shown is from {new Date(of.time).toLocaleTimeString()}.</span>}
      {of.problem.hint && (
        <span>
          {" "}
          Look with <code>{of.problem.hint}</code>
        </span>
      )}
    </div>
  );
}

/** Said where only the metrics are missing: what runs is shown all the same. */
export function MetricsLost({ problem }: { problem: string | undefined }) {
  if (!problem) return null;
  return (
    <div className="problem" role="alert">
      <strong>{problem}.</strong> Rates and health are not known now; what runs is. Look with <code>kubectl get pods -n istio-system -l app=prometheus</code>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A page that fails says so and leaves the others usable. */
export class Boundary extends Component<{ children: ReactNode }, { failure: unknown }> {
  override state: { failure: unknown } = { failure: undefined };

  static getDerivedStateFromError(failure: unknown): { failure: unknown } {
    return { failure };
  }

  override render(): ReactNode {
    if (this.state.failure === undefined) return this.props.children;
    return (
      <Empty title="This page could not be shown">
        <p>{this.state.failure instanceof Error ? this.state.failure.message : String(this.state.failure)}</p>
        <p>
          <button type="button" className="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </p>
      </Empty>
    );
  }
}
