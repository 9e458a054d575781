import { type ReactNode, useEffect, useId, useRef } from "react";
import type { MeshState } from "../model.ts";

export function Select({ label, value, options, onChange }: { label: string; value: string; options: Record<string, string>; onChange(value: string): void }) {
  return (
    <label className="select">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {Object.entries(options).map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Toggle({ label, value, onChange }: { label: string; value: boolean; onChange(value: boolean): void }) {
  return (
    <label className="toggle">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.target.checked)} /> {label}
    </label>
  );
}

/** A field with examples to choose from, which says at once when it does not understand. */
export function Search({
  label,
  value,
  onChange,
  problem,
  examples = [],
  count,
}: {
  label: string;
  value: string;
  onChange(value: string): void;
  problem?: string | undefined;
  examples?: string[];
  count?: number | undefined;
}) {
  const id = useId();
  return (
    <label className={problem ? "search search-wrong" : "search"} title={problem}>
      <span>{label}</span>
      <input
        type="search"
        value={value}
        list={id}
        placeholder={examples[0]}
        aria-invalid={problem !== undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      <datalist id={id}>
        {examples.map((example) => (
          <option key={example} value={example} />
        ))}
      </datalist>
      {problem ? (
        <span className="unseen" role="status">
          {problem}
        </span>
      ) : (
        count !== undefined && <small role="status">{count} found</small>
      )}
    </label>
  );
}

/** A button that opens a box below it; a click elsewhere and Escape close it, as with every menu. */
export function Menu({ label, children }: { label: ReactNode; children: ReactNode }) {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const box = details.current;
      if (!box?.open) return;
      if (event instanceof KeyboardEvent ? event.key !== "Escape" : box.contains(event.target as Node)) return;
      box.open = false;
      if (event instanceof KeyboardEvent) box.querySelector("summary")?.focus();
    };
    addEventListener("pointerdown", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("pointerdown", close);
      removeEventListener("keydown", close);
    };
  }, []);
  return (
    <details className="picker" ref={details}>
      <summary>{label}</summary>
      <div className="picker-list">{children}</div>
    </details>
  );
}

export function NamespacePicker({
  mesh,
  chosen,
  shown,
  onChange,
}: {
  mesh: MeshState | undefined;
  chosen: string[];
  shown: string[];
  onChange(chosen: string[]): void;
}) {
  const all = mesh?.namespaces.filter((n) => n.mesh || chosen.includes(n.name)) ?? [];
  const others = mesh?.namespaces.filter((n) => !all.includes(n)) ?? [];
  const toggle = (name: string) => onChange(shown.includes(name) ? shown.filter((n) => n !== name) : [...shown, name].sort());
  return (
    <Menu label={<>Namespaces: {chosen.length === 0 ? "all of the mesh" : chosen.length > 2 ? `${chosen.length} chosen` : chosen.join(", ")}</>}>
      {[...all, ...others].map((namespace) => (
        <label key={namespace.name}>
          <input type="checkbox" checked={shown.includes(namespace.name)} onChange={() => toggle(namespace.name)} />
          {namespace.name} {!namespace.mesh && <small>outside the mesh</small>}
        </label>
      ))}
      {chosen.length > 0 && (
        <button type="button" className="button" onClick={() => onChange([])}>
          All of the mesh
        </button>
      )}
    </Menu>
  );
}
