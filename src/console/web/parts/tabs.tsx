import { type KeyboardEvent, type ReactNode, useRef } from "react";
import { navigate, useRoute } from "../navigation.tsx";

export interface Tab {
  key: string;
  title: string;
  render(): ReactNode;
}

/** Tabs whose choice is in the address, so that a link leads to the tab. */
export function Tabs({ tabs, path }: { tabs: Tab[]; path: string }) {
  const { query } = useRoute();
  const wanted = query.get("tab");
  const current = tabs.find(({ key }) => key === wanted) ?? tabs[0]!;
  const buttons = useRef(new Map<string, HTMLButtonElement>());
  const choose = (key: string) => navigate(`${path}?tab=${key}`, { replace: true });
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(current) + step + tabs.length) % tabs.length]!;
    choose(next.key);
    buttons.current.get(next.key)?.focus();
    event.preventDefault();
  };
  return (
    <>
      <div className="tabs" role="tablist" onKeyDown={onKeyDown}>
        {tabs.map(({ key, title }) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={`tab-${key}`}
            aria-selected={key === current.key}
            aria-controls="tab-panel"
            tabIndex={key === current.key ? 0 : -1}
            ref={(button) => void (button ? buttons.current.set(key, button) : buttons.current.delete(key))}
            onClick={() => choose(key)}
          >
            {title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${current.key}`} className="tab-panel">
        {current.render()}
      </div>
    </>
  );
}
