import { useState } from "react";

export interface Line {
  name: string;
  /** Unix seconds and values. */
  points: [number, number][];
}

interface PlotProps {
  title: string;
  lines: Line[];
  format(value: number): string;
  /** Unix seconds. */
  start: number;
  end: number;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [460, 190, 62, 22, 10] as const;
const COLOURS = ["#4c7dd9", "#2f9e6e", "#d98a00", "#9a5fd0", "#d9363e", "#2a9db5", "#8a94a6", "#b8762b"];

/** A plot of some lines over time; pointing at it tells the values of that moment. */
export function Plot({ title, lines, format, start, end }: PlotProps) {
  const [at, setAt] = useState<number>();
  const top = niceTop(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)), 0));
  const x = (time: number) => LEFT + ((time - start) / Math.max(end - start, 1)) * (WIDTH - LEFT - 6);
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const times = lines[0]?.points.map(([time]) => time) ?? [];
  const nearest =
    at === undefined
      ? undefined
      : times.reduce<number | undefined>((best, time) => (best === undefined || Math.abs(time - at) < Math.abs(best - at) ? time : best), undefined);
  const shown = (line: Line) => (nearest === undefined ? line.points.at(-1) : line.points.find(([time]) => time === nearest))?.[1];
  return (
    <figure className="plot">
      <figcaption>{title}</figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${title}: ${lines.map((line) => `${line.name} ${shown(line) === undefined ? "unknown" : format(shown(line)!)}`).join(", ") || "no data"}`}
        onMouseMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          setAt(start + ((((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - 6)) * (end - start));
        }}
        onMouseLeave={() => setAt(undefined)}
      >
        {[0, 0.5, 1].map((share) => (
          <g key={share}>
            <line x1={LEFT} x2={WIDTH - 6} y1={y(top * share)} y2={y(top * share)} className="plot-grid" />
            <text x={LEFT - 6} y={y(top * share) + 4} textAnchor="end" className="plot-text">
              {format(top * share)}
            </text>
          </g>
        ))}
        {[0, 0.5, 1].map((share) => (
          <text
            key={share}
            x={x(start + (end - start) * share)}
            y={HEIGHT - 6}
            textAnchor={share === 0 ? "start" : share === 1 ? "end" : "middle"}
            className="plot-text"
          >
            {clock(start + (end - start) * share)}
          </text>
        ))}
        {lines.map((line, i) =>
          segments(line.points, (end - start) / 20).map((points, k) => (
            <polyline
              key={`${line.name}${k}`}
              className="plot-line"
              stroke={COLOURS[i % COLOURS.length]}
              points={points.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(" ")}
            />
          )),
        )}
        {nearest !== undefined && <line x1={x(nearest)} x2={x(nearest)} y1={TOP} y2={HEIGHT - BOTTOM} className="plot-cursor" />}
        {lines.length === 0 && (
          <text x={(LEFT + WIDTH) / 2} y={HEIGHT / 2} textAnchor="middle" className="plot-text">
            no data in this time
          </text>
        )}
      </svg>
      <ul className="plot-legend">
        {lines.map((line, i) => (
          <li key={line.name}>
            <span style={{ background: COLOURS[i % COLOURS.length] }} /> {line.name} <strong>{shown(line) === undefined ? "–" : format(shown(line)!)}</strong>
          </li>
        ))}
      </ul>
    </figure>
  );
}

/** A line is broken where there was nothing for a while. */
function segments(points: [number, number][], gap: number): [number, number][][] {
  const result: [number, number][][] = [];
  for (const point of points) {
    const last = result.at(-1)?.at(-1);
    if (!last || point[0] - last[0] > gap) result.push([point]);
    else result.at(-1)!.push(point);
  }
  return result;
}

/** The next of 1, 2, 5, 10 … above a value. */
function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
