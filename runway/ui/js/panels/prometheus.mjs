// The few figures the page shows, from a page of metrics in Prometheus' text format.

export function parse(page) {
  const samples = [];
  for (const line of page.split("\n")) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    samples.push({ name: found[1], labels, value: Number(found[3]) });
  }
  return samples;
}

// Figures that the page does not have stay away.
export function figuresOf(page) {
  const samples = parse(page);
  const of = (name) => samples.filter((sample) => sample.name === name);
  const sum = (list) => list.reduce((total, { value }) => total + value, 0);
  const [queue, running, states] = ["runway_queue_depth", "runway_tasks_running", "runway_worker_state"].map(of);
  const figures = {};
  if (queue.length) figures.queued = sum(queue);
  if (running.length) figures.running = sum(running);
  if (states.length) {
    const living = states.filter(({ value, labels }) => value > 0 && labels.state !== "dead" && labels.state !== "failed");
    figures.devices = [...new Set(living.map(({ labels }) => labels.device).filter(Boolean))];
  }
  return figures;
}
