/** A small plot of the last values; the newest is at the right. */
export function Sparkline({ values, label, format }: { values: number[]; label: string; format(value: number): string }) {
  const [width, height] = [280, 46];
  const top = Math.max(...values, 0);
  const latest = values.at(-1);
  const points = values.map(
    (value, i) => `${((i / Math.max(values.length - 1, 1)) * width).toFixed(1)},${(height - 3 - (top > 0 ? (value / top) * (height - 8) : 0)).toFixed(1)}`,
  );
  return (
    <figure className="sparkline">
      <figcaption>
        <span>{label}</span>
        <span>{latest === undefined ? "–" : format(latest)}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width="100%"
        height={height}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}, now ${latest === undefined ? "unknown" : format(latest)}`}
      >
        {points.length > 1 && <polygon points={`0,${height} ${points.join(" ")} ${width},${height}`} className="sparkline-area" />}
        {points.length > 1 && <polyline points={points.join(" ")} className="sparkline-line" />}
      </svg>
    </figure>
  );
}
