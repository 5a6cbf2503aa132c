// Gradient descent on the two weights of h = v tanh(w x), on a map of J.
{
  const { x, y, start, span, levels, rates, tolerance, most_steps: mostSteps, diverged: most } = fastbp.data.descent;
  const [X, T] = [x.map((number) => [number]), y.map((number) => [number])];
  const element = fastbp.elements("descent");
  const [low, high] = span;

  // ---- the landscape: J over the two weights; both biases are zero and stay so

  const net = new fastbp.Network([fastbp.layer(1, 1, "tanh"), fastbp.layer(1, 1, "identity")], "mse");

  const height = ([w, v]) => {
    net.parameters = [w, 0, v, 0];
    return net.evaluate(X, T);
  };
  const at = ([w, v]) => {
    net.parameters = [w, 0, v, 0];
    const { loss, gradient } = net.backward(X, T);
    return { loss, gradient: [gradient[0], gradient[2]] };
  };

  const moved = (weights, gradient, rate) => weights.map((weight, k) => weight - rate * gradient[k]);
  const flat = (gradient) => gradient.every((slope) => Math.abs(slope) < tolerance);

  // eigenvalues of the Hessian, the larger one first; its entries are central differences of the gradient
  const curvatures = ([w, v]) => {
    const h = 1e-5;
    const column = (a, b) => a.map((slope, k) => (slope - b[k]) / (2 * h));
    const [ww, wv] = column(at([w + h, v]).gradient, at([w - h, v]).gradient);
    const [vw, vv] = column(at([w, v + h]).gradient, at([w, v - h]).gradient);
    const root = Math.hypot((ww - vv) / 2, (wv + vw) / 2);
    return [(ww + vv) / 2 + root, (ww + vv) / 2 - root];
  };
  const limit = (weights) => {
    const [largest] = curvatures(weights);
    return largest > 0 ? 2 / largest : Infinity;
  };

  const bottom = (() => {
    let weights = start;
    for (let k = 0; k < mostSteps && !flat(at(weights).gradient); k++)
      weights = moved(weights, at(weights).gradient, rates.right);
    return weights;
  })();
  const limitAtBottom = limit(bottom);

  // ---- the descent

  const state = fastbp.state.descent = { rate: rates.right, start, limitAtBottom };

  const reset = () => {
    run.stop();
    Object.assign(state, { weights: state.start, ...at(state.start), steps: 0, path: [state.start] });
    state.losses = [state.loss];
    show();
  };

  const step = () => {
    state.weights = moved(state.weights, state.gradient, state.rate);
    Object.assign(state, at(state.weights));
    state.steps += 1;
    state.path.push(state.weights);
    state.losses.push(state.loss);
  };

  const diverged = () => !(state.loss < most);
  const ended = () => flat(state.gradient) || diverged() || state.steps >= mostSteps;

  const outcome = () => {
    const steps = fastbp.counted(state.steps, "step");
    if (flat(state.gradient)) {
      const saddle = curvatures(state.weights)[1] < 0
        ? " But this is a saddle, not a bottom: in one direction the ground falls." : "";
      return `Converged after ${steps}: every derivative is below ${tolerance.toFixed(5)}.${saddle}`;
    }
    if (diverged())
      return `Diverged after ${steps}: J has grown to ${fastbp.number(state.loss, 2)}. Start again.`;
    const rises = state.losses.filter((loss, k) => loss > state.losses[k - 1]).length;
    const rose = rises ? ` J rose in ${rises} of them.` : "";
    const outside = state.weights.some((weight) => weight < low || weight > high);
    const left = outside ? " The weights have left the map." : "";
    if (state.steps >= mostSteps) return `Not converged after ${steps}.${rose}${left}`;
    if (state.steps) return `${steps} taken.${rose}${left}`;
    const [w, v] = state.start.map((weight) => fastbp.number(weight));
    return `At the start, w = ${w} and v = ${v}. Take a step, or run.`;
  };

  // ---- pictures

  const map = element("map");
  const axes = fastbp.axes(map, {
    x: span, y: span, xLabel: "weight w", yLabel: "weight v", grid: false, square: true,
  });
  const line = (points) =>
    points.map(([w, v], k) => `${k ? "L" : "M"}${axes.X(w).toFixed(1)} ${axes.Y(v).toFixed(1)}`).join("");

  // the map without the path; returns the element for what moves on it
  const drawLandscape = () => {
    const cells = 80, labeled = 7;  // the column where contour lines have their labels
    const place = (k) => low + (high - low) * k / cells;
    const ticks = Array.from({ length: cells + 1 }, (_, k) => place(k));
    const values = ticks.map((v) => ticks.map((w) => height([w, v])));
    for (const level of [...levels].reverse()) {
      const curves = fastbp.contours(values, level);
      axes.put("path", {
        d: curves.map((curve) => `${line(curve.map((point) => point.map(place)))}Z`).join(""),
        class: "blue", "fill-opacity": 0.09, stroke: "currentColor", "stroke-opacity": 0.45, "stroke-width": 0.8,
      });
      if (level < 0.5) continue;  // lines too close to each other for labels
      const row = Math.max(...curves.flat().filter(([i]) => i === labeled).map(([, j]) => j));
      axes.text(axes.X(place(labeled)), axes.Y(place(row)) + 3.5, `${level}`, {
        stroke: "var(--panel)", "stroke-width": 3, "paint-order": "stroke",
      });
    }
    for (const sign of [1, -1]) {
      const [px, py] = [axes.X(sign * bottom[0]), axes.Y(sign * bottom[1])];
      axes.put("path", { d: `M${px - 5} ${py - 5}l10 10m0 -10l-10 10`, stroke: "currentColor", "stroke-width": 2 });
    }
    const [left, top] = [axes.X(low), axes.Y(high)];
    const frame = { x: left, y: top, width: axes.X(high) - left, height: axes.Y(low) - top };
    axes.put("clipPath", { id: "descent-frame" }, fastbp.svg("rect", frame));
    return axes.put("g", { "clip-path": "url(#descent-frame)" });
  };
  const moving = drawLandscape();

  const arrow = () => {
    const [dx, dy] = state.gradient.map((slope, k) => (k ? slope : -slope));  // y of a picture points down
    const size = Math.hypot(dx, dy);
    if (size < tolerance) return "";
    const length = Math.min(70, 8 + 40 * size);
    const [ux, uy] = [dx / size, dy / size];
    const [px, py] = [axes.X(state.weights[0]) + length * ux, axes.Y(state.weights[1]) + length * uy];
    const barb = (turn) => `M${px} ${py}l${-7 * ux - turn * 4 * uy} ${-7 * uy + turn * 4 * ux}`;
    return `M${px - length * ux} ${py - length * uy}L${px} ${py}${barb(1)}${barb(-1)}`;
  };

  // the places of the path that are far enough from each other to be seen as dots
  const spread = () => {
    const dots = [state.start];
    for (const [w, v] of state.path) {
      const [lastW, lastV] = dots.at(-1);
      if (Math.hypot(axes.X(w) - axes.X(lastW), axes.Y(v) - axes.Y(lastV)) > 8) dots.push([w, v]);
    }
    return dots.slice(0, 300);
  };

  const showMap = () => {
    const dot = ([w, v], className, r) =>
      fastbp.svg("circle", { class: `mark ${className}`, cx: axes.X(w), cy: axes.Y(v), r });
    const label = ([w, v], text) => fastbp.svg("text", {
      x: axes.X(w) + (w > high - 1 ? -8 : 8), y: axes.Y(v) + (v < low + 1 ? -6 : 14),
      "text-anchor": w > high - 1 ? "end" : "start", "font-size": 12,
    }, text);
    moving.replaceChildren(
      fastbp.svg("path", { class: "curve", style: "stroke: var(--vermilion)", d: line(state.path) }),
      ...spread().map((weights) => dot(weights, "second", 2)),
      dot(state.start, "", 4),
      label(state.start, "start"),
      fastbp.svg("path", { d: arrow(), fill: "none", stroke: "currentColor", "stroke-width": 2.5 }),
      dot(state.weights, "second", 5),
    );
  };

  const showLoss = () => {
    const finite = state.losses.filter(Number.isFinite);
    const { curve, dot } = fastbp.axes(element("loss"), {
      x: [0, Math.max(20, state.steps)], y: [0.001, Math.max(10, ...finite)], log: true,
      xLabel: "steps", yLabel: "error J",
    });
    curve(state.losses.map((loss, k) => [k, loss]), "second");
    if (Number.isFinite(state.loss)) dot(state.steps, state.loss, "second");
  };

  const showFit = () => {
    const [first, last] = [-3.5, 3.5];
    const { curve, dot } = fastbp.axes(element("fit"), {
      x: [first, last], y: [-3, 3], xLabel: "input x", yLabel: "output h",
    });
    const [w, v] = state.weights;
    const inside = (number) => (Math.abs(number) <= 3 ? number : NaN);
    curve(Array.from({ length: 141 }, (_, k) => first + (last - first) * k / 140)
      .map((input) => [input, inside(v * Math.tanh(w * input))]), "second");
    x.forEach((input, k) => dot(input, y[k]));
  };

  const show = () => {
    showMap();
    showLoss();
    showFit();
    const { steps, loss: J, weights: [w, v], gradient: [d_w, d_v] } = state;
    const limits = { here: limit(state.weights), bottom: limitAtBottom };
    const numbers = { steps, w, v, J, "d-w": d_w, "d-v": d_v, ...limits };
    for (const [name, number] of Object.entries(numbers))
      element(`number-${name}`).textContent = fastbp.number(number, 3);
    element("rate-shown").textContent = fastbp.number(state.rate, 3);
    fastbp.say(element("status"), run.running() ? "Running." : outcome());
  };

  // ---- what the reader can do

  const rateInput = element("rate"), cases = element("case");

  // a rate with a name comes from the list, any other from the slider
  const chooseRate = (rate) => {
    state.rate = rate;
    const [name] = Object.entries(rates).find(([, each]) => each === rate) ?? [""];
    cases.value = name;
    rateInput.value = Math.log10(rate);
    rateInput.setAttribute("aria-valuetext", fastbp.number(rate, 3));
    reset();
  };

  const chooseStart = (weights) => {
    state.start = weights.map((weight) => Math.round(Math.min(high, Math.max(low, weight)) * 100) / 100);
    reset();
  };

  const named = Object.entries(rates).map(([name, rate]) => [name, `${name}: ${rate}`]);
  fastbp.offer(cases, [...named, ["", "another"]], "right");
  cases.addEventListener("change", () => chooseRate(rates[cases.value] ?? state.rate));
  rateInput.addEventListener("input", () => chooseRate(Number((10 ** rateInput.value).toPrecision(3))));
  element("step").addEventListener("click", () => {
    run.stop();
    if (!diverged()) step();  // or the numbers would soon be too large for a picture
    show();
  });
  element("reset").addEventListener("click", reset);
  const run = fastbp.repeating(element("run"), {
    begin: () => { if (ended()) reset(); },
    tick: (n) => {
      for (; n > 0 && !ended(); n--) step();
      return !ended();
    },
    show,
  });

  map.addEventListener("click", (event) => {
    const { x: px, y: py } = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    chooseStart([[px, axes.X], [py, axes.Y]].map(([place, scale]) =>
      low + (high - low) * (place - scale(low)) / (scale(high) - scale(low))));
  });
  const ARROWS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowDown: [0, -0.1], ArrowUp: [0, 0.1] };
  map.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    chooseStart(state.start.map((weight, k) => weight + way[k]));
  });

  chooseRate(rates.right);
  while (!ended()) step();  // the page opens with a whole descent
  show();
}
