// DATA holds the draws, which Python made. Nothing here is random: the maps are composed, measured and drawn.

const ORDERS = ["forward", "backward", "windowed", "late"];
const HUGE = 1e30; // a path that is beyond has diverged, and is drawn up to there

// --- maps: apply(i, theta) is T_i, with i counted from 1 --------------------------------------------------------------

function line(slope, offset, start, factors, reach) {
  return { start: [start], apply: (i, t) => [slope(i) * t[0] + offset(i)], k: Math.max(...factors), D: Math.max(...reach) };
}

function constantMaps(draws) {
  return line(() => 0, (i) => draws[i - 1], 0.5, [0], [0.5]);
}

function quadratic(draws, h, noise) {
  const theta = 1;
  return line(() => 1 - h, (i) => h * noise * draws[i - 1], theta, [Math.abs(1 - h)], [h * (Math.abs(theta) + noise)]);
}

function epochs(draws, h, noise) {
  const theta = 1;
  const slopes = DATA.curvatures.map((a) => 1 - h * a);
  const offsets = DATA.curvatures.map((a, j) => h * a * noise * DATA.targets[j]);
  const reach = slopes.map((slope, j) => Math.abs(slope * theta + offsets[j] - theta));
  return line((i) => slopes[draws[i - 1]], (i) => offsets[draws[i - 1]], theta, slopes.map(Math.abs), reach);
}

function norm(A) { // largest singular value of a 2 x 2 matrix
  const [[a, b], [c, d]] = A;
  const half = (a * a + b * b + c * c + d * d) / 2;
  const determinant = a * d - b * c;
  return Math.sqrt(half + Math.sqrt(Math.max(half * half - determinant * determinant, 0)));
}

function fern(draws) {
  const apply = (i, t) => {
    const { A, b } = DATA.fern[draws[i - 1]];
    return [A[0][0] * t[0] + A[0][1] * t[1] + b[0], A[1][0] * t[0] + A[1][1] * t[1] + b[1]];
  };
  const lengths = DATA.fern.map((map) => Math.hypot(...map.b)); // the start is 0
  return { start: [0, 0], apply, k: Math.max(...DATA.fern.map((map) => norm(map.A))), D: Math.max(...lengths) };
}

function network(decay) {
  return (draws, h, noise) => {
    const apply = (i, t) => {
      const [x, e] = draws[i - 1];
      const u = [0, 1, 2].map((j) => Math.tanh(t[j] * x + t[3 + j]));
      const residual = u[0] * t[6] + u[1] * t[7] + u[2] * t[8] + t[9] - Math.sin(3 * x) - noise * e;
      const inner = u.map((value, j) => residual * t[6 + j] * (1 - value * value));
      const gradient = [...inner.map((g) => g * x), ...inner, ...u.map((value) => residual * value), residual];
      return t.map((value, j) => value - h * (gradient[j] + decay * value));
    };
    return { start: DATA.networkStart, apply };
  };
}

function output(t) { // f(1/2)
  return t[9] + [0, 1, 2].reduce((sum, j) => sum + t[6 + j] * Math.tanh(t[j] * 0.5 + t[3 + j]), 0);
}

const CHOICES = {
  constant: { make: constantMaps, draws: "constant", h: 0, noise: false, n: 30,
    text: "T sends every point to 0 or to 1, by a coin." },
  quadratic: { make: quadratic, draws: "quadratic", h: 2.2, noise: true, n: 120,
    text: "T(θ) = (1 − h)θ + hε, with ε uniform between −noise and noise, from θ = 1. The maps contract for h between 0 and 2." },
  fern: { make: fern, draws: "fern", h: 0, noise: false, n: 1500, plane: true,
    text: "Four affine maps of the plane, chosen with probabilities 0.01, 0.85, 0.07 and 0.07, from 0. Forward iterates (dots) " +
      "draw the fern; the backward path settles at one point of it." },
  epochs: { make: epochs, draws: "epochs", h: 1.8, noise: true, n: 120,
    text: "T(θ) = θ − h a(θ − noise·y), from θ = 1, with six pairs (a, y) in a new order in every epoch. The maps are not " +
      "independent, so Theorem 2.6 is silent; Theorem 2.2 holds for every sequence of maps." },
  network: { make: network(0), draws: "network", h: 1, noise: true, n: 150, output: true,
    text: "Steps of SGD on three tanh units, one new data point a step. The path is the network's output at x = ½." },
  decayed: { make: network(0.3), draws: "network", h: 1, noise: true, n: 150, output: true,
    text: "The same network with weight decay 0.3. The path is the network's output at x = ½." },
};

// --- orders: iterate n is T_{m+1} … T_n applied to iterate m, the anchor of n -----------------------------------------

function anchor(order, n, w) {
  if (order === "forward") return n - 1;
  if (order === "backward") return 0;
  if (order === "windowed") return w * Math.floor((n - 1) / w);
  return n > w ? w : n - 1;
}

function iterate(maps, from, theta, n) { // T_{from+1} … T_n (theta): T_n acts first
  for (let i = n; i > from; i--) theta = maps.apply(i, theta);
  return theta;
}

const tooLarge = (theta) => !theta.every((value) => Math.abs(value) <= HUGE);

function extend(points, maps, order, n, w) { // iterates up to n, or up to the last one that is not too large
  while (points.length <= n) {
    const next = points.length;
    const m = anchor(order, next, w);
    const theta = iterate(maps, m, points[m], next);
    if (tooLarge(theta)) break;
    points.push(theta);
  }
  return points.slice(0, n + 1);
}

const distance = (a, b) => Math.hypot(...a.map((value, j) => value - b[j]));

// --- drawing: curves have the numbers themselves as coordinates, and a transform to the screen -------------------------

function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const out = [];
  for (let j = Math.ceil(low / step); j * step <= high + 1e-9 * step; j++) out.push(j * step);
  return out;
}

function short(x) {
  if (x === 0) return "0";
  const text = Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5 ? String(+x.toPrecision(3)) : x.toExponential(2);
  return text.replace(/\.?0*e/, "e").replace("e+", "e").replace("-", "−").replace("e-", "e−");
}

function element(name, attributes, text) {
  const node = document.createElementNS(find("svg").namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function range(values, log) {
  const low = Math.min(...values), high = Math.max(...values);
  if (!values.length) return log ? [-1, 1] : [0, 1];
  if (low === high) return [low - 1, high + 1];
  return [low - 0.06 * (high - low), high + 0.06 * (high - low)];
}

function chart(box, title, curves, { log = false, plane = false, last, xLabel }) {
  const room = Math.max(box.clientWidth || 640, 240);
  const [width, height] = plane ? [Math.min(room, 420), Math.min(room, 420) * 1.1] : [room, Math.min(room * 0.55, 260)];
  const [left, right, top, bottom] = [52, 14, 8, 34];
  const points = curves.flatMap((curve) => curve.points);
  let x = plane ? range(points.map((p) => p[0])) : [0, last];
  let y = range(points.map((p) => p[1]), log);
  if (plane) { // one scale in both directions
    const unit = Math.max((x[1] - x[0]) / (width - left - right), (y[1] - y[0]) / (height - top - bottom));
    const widen = ([a, b], size) => [(a + b - unit * size) / 2, (a + b + unit * size) / 2];
    [x, y] = [widen(x, width - left - right), widen(y, height - top - bottom)];
  }
  const sx = (width - left - right) / (x[1] - x[0]), sy = (height - top - bottom) / (y[1] - y[0]);
  const toX = (value) => left + (value - x[0]) * sx, toY = (value) => height - bottom - (value - y[0]) * sy;
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  svg.append(element("title", {}, title));
  const decades = log ? ticks(y[0], y[1], 5).filter(Number.isInteger) : ticks(y[0], y[1], 5);
  for (const value of decades) {
    svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: toY(value), y2: toY(value) }));
    const label = log ? short(10 ** value) : short(value);
    svg.append(element("text", { x: left - 6, y: toY(value) + 4, "text-anchor": "end" }, label));
  }
  for (const value of ticks(x[0], x[1], width < 400 ? 4 : 8)) {
    if (plane) svg.append(element("line", { class: "grid", x1: toX(value), x2: toX(value), y1: top, y2: height - bottom }));
    svg.append(element("text", { x: toX(value), y: height - bottom + 15, "text-anchor": "middle" }, short(value)));
  }
  svg.append(element("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, xLabel));
  const transform = `matrix(${sx} 0 0 ${-sy} ${left - x[0] * sx} ${height - bottom + y[0] * sy})`;
  for (const curve of curves) {
    if (!curve.points.length) continue;
    if (curve.dots) {
      const d = curve.points.map(([a, b]) => `M${a},${b}h0`).join("");
      svg.append(element("path", { class: `dots ${curve.name}`, d, transform }));
    } else {
      svg.append(element("polyline", { class: curve.name, points: curve.points.map((p) => p.join(",")).join(" "), transform }));
      const [a, b] = curve.points[curve.points.length - 1];
      if (curve.name !== "bound") svg.append(element("circle", { class: `mark ${curve.name}`, cx: toX(a), cy: toY(b), r: 3.5 }));
    }
  }
  box.replaceChildren(svg);
}

// --- the page -----------------------------------------------------------------------------------------------------------

const page = document.getElementById("play-page");
const find = (selector) => page.querySelector(selector);
const form = find("form"), select = find("#play-family");
const slider = Object.fromEntries(["h", "noise", "n", "w"].map((name) => [name, find(`#play-${name}`)]));
let known = { key: "", paths: {} }; // the paths of the last settings, which a change of n alone reuses

function prepare(fresh) { // ranges of the sliders for these maps; with fresh, a number of maps that suits them
  const choice = CHOICES[select.value];
  const shown = DATA.shown[choice.draws];
  slider.h.max = choice.h || 2.2;
  slider.n.max = shown;
  slider.w.max = Math.min(shown, 100);
  if (fresh) slider.n.value = choice.n;
  for (const [name, used] of [["h", choice.h > 0], ["noise", choice.noise]]) {
    slider[name].disabled = !used;
    slider[name].closest("p").classList.toggle("off", !used);
  }
}

function settings() {
  const value = (name) => Number(slider[name].value);
  const orders = ORDERS.filter((name) => form.elements[name].checked);
  return { family: select.value, draw: Number(find("#play-draw").value), h: value("h"), noise: value("noise"), n: value("n"),
    w: value("w"), orders };
}

function pathsOf(maps, s) {
  const key = JSON.stringify([s.family, s.draw, s.h, s.noise, s.w]);
  if (known.key !== key) known = { key, paths: {} };
  return s.orders.map((name) => {
    known.paths[name] ||= [maps.start];
    return { name, rows: extend(known.paths[name], maps, name, s.n, s.w) };
  });
}

function pathCurves(choice, paths) {
  const value = choice.output ? output : (t) => t[0];
  return paths.map(({ name, rows }) => ({ name, dots: choice.plane && name !== "backward" && name !== "late",
    points: rows.map((t, n) => (choice.plane ? t : [n, value(t)])) }));
}

function logCurve(name, values) { // zeros have no logarithm, and are left out
  return { name, points: values.map((d, n) => [n, Math.log10(d)]).filter(([, l]) => l > -17 && Number.isFinite(l)) };
}

function draw() {
  const s = settings();
  const choice = CHOICES[s.family];
  for (const name of ["h", "noise", "n", "w"]) slider[name].nextElementSibling.textContent = short(s[name]);
  const draws = DATA.draws[choice.draws][s.draw];
  const maps = choice.make(draws, s.h, s.noise);
  const paths = pathsOf(maps, s);
  find(".play-maps").textContent = choice.text;

  const certified = maps.k !== undefined && maps.k < 1;
  const bound = (n) => (maps.D * (n === 0 ? 1 : maps.k ** n)) / (1 - maps.k);
  const limit = certified ? iterate(maps, 0, maps.start, draws.length) : null;
  const measure = ({ rows }) => limit ? rows.map((t) => distance(t, limit)) : rows.slice(1).map((t, n) => distance(t, rows[n]));
  const measured = paths.map((path) => ({ name: path.name, values: measure(path) }));
  const what = limit ? "distance to the backward limit θ*" : "increment, the distance of neighbouring iterates";

  const of = choice.output ? "output at x = ½" : choice.plane ? "path in the plane" : "path";
  const titles = [`The ${of}, iterates 0 to ${s.n}`, `Logarithmic: ${what}` + (limit ? "; dashed: the certificate" : "")];
  find(".play-title-path").textContent = titles[0];
  find(".play-title-distance").textContent = titles[1];
  chart(find(".play-path"), titles[0], pathCurves(choice, paths), { plane: choice.plane, last: s.n, xLabel: choice.plane ? "first coordinate" : "n" });
  const curves = measured.map(({ name, values }) => logCurve(name, values));
  if (limit) curves.push(logCurve("bound", Array.from({ length: s.n + 1 }, (_, n) => bound(n))));
  chart(find(".play-distance"), titles[1], curves, { log: true, last: s.n, xLabel: "n" });

  report(s, choice, maps, certified, bound, paths, measured, what);
}

function report(s, choice, maps, certified, bound, paths, measured, what) {
  const gone = paths.filter(({ rows }) => rows.length <= s.n);
  let text;
  if (certified) {
    text = `Certificate (Theorem 2.2): d(θ*, T₁…Tₙθ) ≤ D kⁿ/(1 − k) with k = ${short(maps.k)} and D = ${short(maps.D)}; ` +
      `at n = ${s.n} this is ${short(bound(s.n))}. It is about the backward order alone.`;
  } else if (maps.k !== undefined) {
    text = `No certificate: the factor of the maps is k = ${short(maps.k)}, and Theorem 2.2 needs k < 1.`;
  } else {
    text = "No certificate: the loss of this network is not convex, and its steps do not contract on the whole space. " +
      "Small increments alone do not prove that a path settles.";
  }
  if (gone.length) text += ` Diverged: ${gone.map(({ name, rows }) => `${name} at n = ${rows.length}`).join(", ")}.`;
  find(".play-certificate").textContent = text;
  find(".play-last").textContent = what;
  find(".play-numbers tbody").replaceChildren(...paths.map(({ name, rows }, j) => {
    const row = document.createElement("tr");
    const last = rows[rows.length - 1], values = measured[j].values;
    const shown = choice.output ? short(output(last)) : `(${last.map(short).join(", ")})`.replace(/^\(([^,]*)\)$/, "$1");
    for (const cell of [name, shown, values.length ? short(values[values.length - 1]) : "–"]) {
      row.append(Object.assign(document.createElement("td"), { textContent: cell }));
    }
    return row;
  }));
  const { orders, ...rest } = s;
  find(".play-link").href = "#" + new URLSearchParams({ ...rest, orders: orders.join(",") });
}

function fromLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  if (!CHOICES[link.get("family")]) return;
  select.value = link.get("family");
  prepare(true);
  for (const name of ["h", "noise", "n", "w"]) if (link.has(name)) slider[name].value = link.get(name);
  if (DATA.draws.constant[link.get("draw")]) find("#play-draw").value = link.get("draw");
  if (link.has("orders")) for (const name of ORDERS) form.elements[name].checked = link.get("orders").split(",").includes(name);
}

prepare(false);
fromLink();
draw();
form.addEventListener("input", (event) => { if (event.target === select) prepare(true); draw(); });
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", () => { fromLink(); draw(); });
let drawnAt = page.clientWidth;
new ResizeObserver(() => { if (page.clientWidth !== drawnAt) { drawnAt = page.clientWidth; draw(); } }).observe(page);
