/**
 * A chart over time, drawn by uPlot on a canvas. Its colours are the page's, also after the theme
 * has changed; its numbers stand in a table or in figures elsewhere on the page.
 */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { onTheme } from './theme.js';

export interface ChartSeries {
  label: string;
  values: readonly (number | null)[];
  /** A token of tokens.css, without the dashes. */
  color: string;
  fill?: string;
}

export interface ChartProps {
  /** Milliseconds since 1970 of the newest value. */
  at: number;
  stepMs: number;
  series: readonly ChartSeries[];
  format: (value: number) => string;
  label: string;
  size?: 'low' | 'tall';
}

const AXIS_LEFT_PX = 72;
const AXIS_BOTTOM_PX = 24;
/** Seconds that are shown at least, so that a young chart does not stretch. */
const SPAN_S = 120;

/** The token's colour as it is now; canvas knows no variables. */
function colorOf(element: HTMLElement, name: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

function dataOf({ at, stepMs, series }: ChartProps): uPlot.AlignedData {
  const length = Math.max(0, ...series.map(({ values }) => values.length));
  const times = Array.from({ length }, (_, i) => (at - (length - 1 - i) * stepMs) / 1000);
  return [times, ...series.map(({ values }) => [...values])];
}

function optionsOf(host: HTMLElement, props: ChartProps): uPlot.Options {
  const axis = {
    stroke: colorOf(host, 'ink-soft'),
    grid: { stroke: colorOf(host, 'line'), width: 1 },
    ticks: { show: false },
    font: `11px ${getComputedStyle(host).fontFamily}`,
  };
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = (s: number): string => {
    const time = new Date(s * 1000);
    return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  };
  return {
    width: host.clientWidth,
    height: host.clientHeight,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { range: (_u, min, max) => [Math.min(min, max - SPAN_S), max] },
      y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: [
      { ...axis, size: AXIS_BOTTOM_PX, space: 90, values: (_u, splits) => splits.map(clock) },
      { ...axis, size: AXIS_LEFT_PX, values: (_u, splits) => splits.map(props.format) },
    ],
    series: [
      {},
      ...props.series.map(({ label, color, fill }) => ({
        label,
        stroke: colorOf(host, color),
        fill: fill === undefined ? undefined : colorOf(host, fill),
        width: 1.5,
        points: { show: false },
      })),
    ],
  };
}

export function Chart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const shape = props.series.map(({ label, color }) => `${label}:${color}`).join();

  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, latest.current), dataOf(latest.current), element);
    };
    make();
    const resized = new ResizeObserver(() => {
      plot.current?.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    resized.observe(element);
    const stop = onTheme(make);
    return () => {
      stop();
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(dataOf(props));
  }, [props.at, shape]);

  return <div ref={host} class={`chart ${props.size ?? ''}`} role="img" aria-label={props.label} />;
}
