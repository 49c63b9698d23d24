/** Shows the state that `/events` sends: numbers, two bars, two curves. */

const PHASES = {
  starting: "Starting Redis and the edges.",
  connecting: "Connecting everybody.",
  publishing: "Published. Counting who has it.",
  done: "Done.",
  failed: "It did not work:",
};
const WIDTH = 600;
const HEIGHT = 160;
const MARGIN = 24;
const SVG = "http://www.w3.org/2000/svg";

const count = (number) => number.toLocaleString("en");
const element = (id) => document.getElementById(id);

/** Draw points [x, y] as a line; both axes begin at 0. */
function drawCurve(svg, points, most, unit) {
  if (points.length < 2) {
    return;
  }
  const widest = points.at(-1)[0] || 1;
  const place = ([x, y]) => {
    const left = (x / widest) * WIDTH;
    const top = HEIGHT - MARGIN - (y / most) * (HEIGHT - 2 * MARGIN);
    return `${left.toFixed(1)},${top.toFixed(1)}`;
  };
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.map(place).join(" "));
  const end = document.createElementNS(SVG, "text");
  end.setAttribute("x", WIDTH);
  end.setAttribute("y", HEIGHT - 6);
  end.setAttribute("text-anchor", "end");
  end.textContent = `${count(widest)} ${unit}`;
  svg.replaceChildren(line, end);
}

function showNumbers(state) {
  for (const name of ["ready", "received"]) {
    element(name).textContent = count(state[name]);
    element(`${name}-bar`).value = state[name] / state.wanted;
  }
}

function showResult(result) {
  if (!result) {
    return;
  }
  for (const name of ["min_ms", "avg_ms", "p50_ms", "p99_ms", "max_ms"]) {
    element(name).textContent = `${count(Math.round(result[name]))} ms`;
  }
  for (const name of ["missing", "repeated"]) {
    element(name).textContent = count(result[name]);
  }
  element("edges_bytes").textContent = `${count(Math.round(result.edges_bytes / 1e6))} MB`;
  element("result").hidden = false;
}

function show(state) {
  element("wanted").textContent = count(state.wanted);
  const kind = state.transport === "poll" ? "HTTP long-polls" : "WebSockets";
  element("setting").textContent = `${kind} over ${state.edges} edge processes, one publish through the REST API.`;
  element("phase").textContent = `${PHASES[state.phase]} ${state.problem}`;
  showNumbers(state);
  drawCurve(element("climb"), state.climb, state.wanted, "s");
  drawCurve(element("arrivals"), state.arrivals, state.wanted, "ms");
  showResult(state.result);
}

const events = new EventSource("/events");
events.onmessage = (event) => show(JSON.parse(event.data));
