// The worked example: a network of three inputs, two hidden units and an output; what its error says about each of
// its eleven weights, and where gradient descent takes them.
{
  const { inputs: X, targets: T, names, start } = fastbp.data["worked-example"];
  const MOST = 20000;      // steps of one run
  const TOLERANCE = 1e-5;  // converged: every derivative is smaller
  const EPSILON = 1e-5;    // by which a weight is moved to measure dJ/dw
  const RATES = [0.01, 0.03, 0.1, 0.3, 1, 3, 10];
  const SLOPE_NAMES = {
    own: "f′, the true one", one: "1 in place of f′", zero: "0 in place of f′", negated: "−f′",
  };
  const TRIES = {
    own: { steps: Infinity },
    zero: { slope: "zero", steps: 10 },
    one: { slope: "one", steps: Infinity },
    negated: { slope: "negated", steps: 10 },
    saturated: { weight: "b4", value: 6, steps: 0 },
    step: { activation: "step", steps: 10 },
  };

  const $ = (name) => document.getElementById(`worked-${name}`);
  // where each parameter is in the network: "w14" leads from unit 1 to unit 4, "b4" to unit 4
  const WEIGHTS = names.map((name) => ({
    name, source: name[0] === "w" ? Number(name[1]) : null, target: Number(name.at(-1)),
  }));
  const indexOf = (name) => names.indexOf(name);

  const zeros = (n) => Array(n).fill(0);
  const net = new fastbp.Network([
    { W: [zeros(2), zeros(2), zeros(2)], b: zeros(2), activation: "sigmoid" },
    { W: [zeros(1), zeros(1)], b: zeros(1), activation: "sigmoid" },
  ], "half_sse");
  let rate = 1, chosen = indexOf("w14"), row = 5, losses = [], timer = null;
  let now;     // what `backward` returned for the present weights
  let blame;   // and how the error is shared out

  const look = () => {
    now = net.backward(X, T);
    blame = fastbp.blame(now);
  };
  const restart = () => {
    net.parameters = start;
    look();
    losses = [now.loss];
  };
  // J is another one although no step was taken
  const changed = () => {
    look();
    losses[losses.length - 1] = now.loss;
  };
  const finite = () => Number.isFinite(now.loss) && now.gradient.every(Number.isFinite);
  const converged = () => now.gradient.every((slope) => Math.abs(slope) < TOLERANCE);
  // Take n steps, or fewer if a run ends before.
  const advance = (n, ends = () => !finite()) => {
    for (; n > 0 && !ends(); n--) {
      net.descend(now.gradient, rate);
      now = net.backward(X, T);
      losses.push(now.loss);
    }
    blame = fastbp.blame(now);
  };

  // the factors of dJ/dw for one row, from the error to the weight: name, value, meaning, whether it is a derivative of f
  const chain = ({ name, source, target }, n) => {
    const { z, y, d_h } = now.rows[n];
    const show = (x) => fastbp.number(x, 3);
    const [h, t] = [y[2][0], T[n][0]];
    const slope = (l, j, unit) => {
      const own = net.layers[l].slope === "own";
      const what = own ? "f′" : SLOPE_NAMES[net.layers[l].slope];
      const at = `${what} of unit ${unit} at z${unit} = ${show(z[l][j])}`;
      return [net.slopes(l, z[l])[j], at, own ? "slope" : "slope broken"];
    };
    const factors = [
      ["dJ/dh", d_h[0], `the error h − y = ${show(h)} − ${show(t)}`],
      ["dh/dz6", ...slope(1, 0, 6)],
    ];
    if (target !== 6) {
      const j = target - 4;
      factors.push([`dz6/dy${target}`, net.layers[1].W[j][0], `the weight w${target}6`]);
      factors.push([`dy${target}/dz${target}`, ...slope(0, j, target)]);
    }
    const [l, i] = target === 6 ? [1, source - 4] : [0, source - 1];
    const input = l === 0 ? `the input x${source}` : `the output y${source} of unit ${source}`;
    const meaning = source === null ? "a bias is added as it is" : input;
    factors.push([`dz${target}/d${name}`, source === null ? 1 : y[l][i], meaning]);
    return factors;
  };
  const product = (factors) => factors.reduce((all, [, value]) => all * value, 1);
  // dJ/dw without any derivative: what J does if the weight moves
  const measured = (k) => {
    const moved = (distance) => {
      const other = net.copy(), numbers = net.parameters;
      numbers[k] += distance;
      other.parameters = numbers;
      return other.evaluate(X, T);
    };
    return (moved(EPSILON) - moved(-EPSILON)) / (2 * EPSILON);
  };

  fastbp.state["worked-example"] = {
    get parameters() { return net.parameters; },
    get loss() { return now.loss; },
    get steps() { return losses.length - 1; },
    get running() { return timer !== null; },
    get gradient() { return now.gradient; },
    get shares() { return blame; },
    factors: (name, n) => chain(WEIGHTS[indexOf(name)], n).map(([factor, value]) => [factor, value]),
    measured: (name) => measured(indexOf(name)),
  };

  // the picture of the network
  const AT = { 1: [22, 55], 2: [22, 180], 3: [22, 305], 4: [200, 110], 5: [200, 250], 6: [330, 180] };
  const R = 26;
  const LABELS = { 4: [200, 153], 5: [200, 217], 6: [330, 223] };  // where the output of a unit is written
  const CHIPS = { b4: [200, 40], b5: [200, 320], b6: [330, 107] };
  const chipOf = ({ name, source, target }) => {
    if (source === null) return CHIPS[name];
    const part = target === 6 ? 0.5 : 0.31;
    return AT[source].map((from, axis) => from + part * (AT[target][axis] - from));
  };
  const path = ([x, y], [x2, y2]) => `M${x} ${y}L${x2} ${y2}`;
  const drawGraph = (svg) => {
    const put = (name, attributes, ...children) => {
      const element = fastbp.svg(name, attributes, ...children);
      svg.append(element);
      return element;
    };
    const edges = WEIGHTS.map((weight) => {
      const d = path(weight.source === null ? chipOf(weight) : AT[weight.source], AT[weight.target]);
      return [put("path", { class: "halo", d }), put("path", { class: "edge", d })];
    });
    put("path", { class: "edge", d: path(AT[6], [368, 180]), "stroke-width": 1.5 });
    const inputs = [1, 2, 3].map((unit) => {
      put("circle", { class: "unit", cx: AT[unit][0], cy: AT[unit][1], r: 16 });
      put("text", { x: AT[unit][0], y: AT[unit][1] + 5 }, `x${unit}`);
      return put("text", { class: "value", x: AT[unit][0], y: AT[unit][1] + 32 });
    });
    const units = [4, 5, 6].map((unit) => {
      const [x, y] = AT[unit];
      put("circle", { class: "unit", cx: x, cy: y, r: R });
      const level = put("path", { class: "level" });
      put("circle", { class: "rim", cx: x, cy: y, r: R });
      put("text", { class: "name", x, y: y - 1 }, `${unit}`);
      const share = put("text", { x, y: y + 14 });
      const value = put("text", { class: "value", x: LABELS[unit][0], y: LABELS[unit][1] });
      return { unit, level, share, value };
    });
    put("text", { class: "name", x: 379, y: 178 }, "J");
    const J = put("text", { class: "value", x: 379, y: 196 });
    const chips = WEIGHTS.map((weight, k) => {
      const [x, y] = chipOf(weight);
      const value = fastbp.svg("text", { x, y: y + 12 });
      const chip = put("g", { class: "chip", role: "button", tabindex: 0 },
        fastbp.svg("rect", { x: x - 26, y: y - 17, width: 52, height: 34, rx: 6 }),
        fastbp.svg("text", { class: "name", x, y: y - 3 }, weight.name), value);
      chip.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose(k);
      });
      for (const element of [chip, ...edges[k]]) element.addEventListener("click", () => choose(k));
      return { chip, value };
    });
    return { edges, inputs, units, J, chips };
  };
  // the part of a disc below a level: 0 is empty, 1 is full
  const filled = ([x, y], share) => {
    const height = R * (1 - 2 * share), half = Math.sqrt(Math.max(0, R * R - height * height));
    return `M${x - half} ${y + height}A${R} ${R} 0 ${share > 0.5 ? 1 : 0} 0 ${x + half} ${y + height}Z`;
  };
  // a number that fits into a label
  const short = (x) => {
    const text = Math.abs(x) < 100 ? x.toFixed(2) : fastbp.number(x, 2);
    return text === "-0.00" ? "0.00" : text.replace("-", "−");
  };
  const onTheWay = (k) => {
    const { target } = WEIGHTS[chosen];
    return k === chosen || (target !== 6 && names[k] === `w${target}6`);
  };
  const graph = drawGraph($("graph"));
  const updateGraph = () => {
    const numbers = net.parameters, { y } = now.rows[row];
    numbers.forEach((w, k) => {
      const [halo, edge] = graph.edges[k], { chip, value } = graph.chips[k];
      halo.classList.toggle("way", onTheWay(k));
      edge.setAttribute("class", `edge ${w < 0 ? "negative" : "positive"}`);
      edge.setAttribute("stroke-width", Math.min(0.8 + 1.5 * Math.abs(w), 10).toFixed(2));
      chip.classList.toggle("way", onTheWay(k));
      chip.setAttribute("aria-pressed", k === chosen);
      chip.setAttribute("aria-label", `${names[k]} = ${fastbp.number(w, 3)}`);
      value.textContent = short(w);
    });
    graph.inputs.forEach((text, i) => { text.textContent = `${X[row][i]}`; });
    graph.units.forEach(({ unit, level, share, value }) => {
      const [l, j] = unit === 6 ? [1, 0] : [0, unit - 4];
      const part = blame.units[l][j];
      level.setAttribute("d", part > 0 ? filled(AT[unit], Math.min(part, 0.9999)) : "M0 0");
      share.textContent = `${(100 * part).toFixed(0)} %`;
      value.textContent = `${unit === 6 ? "h" : `y${unit}`} ${short(y[l + 1][j])}`;
    });
    graph.J.textContent = fastbp.fixed(now.loss, 3);
  };

  const updateChart = () => {
    const last = losses.length - 1, every = Math.ceil(losses.length / 400);  // no more points than can be seen
    const points = losses.map((loss, step) => [step, Math.min(Math.max(loss, 1e-16), 1e300)])
      .filter(([step, loss]) => (step % every === 0 || step === last) && Number.isFinite(loss));
    const values = points.map(([, loss]) => loss);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const log = high > 10 * low;
    if (log) [low, high] = [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))];
    else {
      const space = Math.max((high - low) / 10, 0.005 * high);
      [low, high] = [low - space, high + space];
    }
    const axes = fastbp.axes($("chart"), {
      x: [0, Math.max(10, last)], y: [low, high], xLabel: "steps", yLabel: "J", log, width: 400, height: 328,
    });
    axes.curve(points);
    axes.dot(...points.at(-1));
    const [before, after] = [losses[0], now.loss].map((loss) => fastbp.number(loss));
    $("chart").setAttribute("aria-label", `J over ${last} steps, from ${before} to ${after}`);
    const scale = log ? " (a logarithmic scale)" : "";
    $("course").textContent = `The error J of all eight rows: ${fastbp.fixed(now.loss)} after ${last} steps${scale}.`;
  };

  const verdict = (sum, slope) => {
    const { name } = WEIGHTS[chosen];
    if (Math.abs(sum - slope) <= 1e-8 * (1 + Math.abs(slope)))
      return sum === 0 ? `They agree: J does not change with ${name}, so ${name} does not move.`
        : `They agree: this is how much J changes with ${name}, so a step against it leads downhill.`;
    if (net.layers.every((layer) => layer.slope === "own"))
      return "They differ: f has a corner or a jump within reach of ε.";
    if (sum === 0) return `They differ: J does change with ${name}, but the factors say 0. It cannot learn.`;
    return sum * slope < 0 ? `They differ, even in sign: a step against the product leads uphill along ${name}.`
      : "They differ: what stands in place of f′ is not the derivative, and the steps lead elsewhere.";
  };
  const updateChain = () => {
    const weight = WEIGHTS[chosen], factors = chain(weight, row);
    const card = (sign, name, value, meaning, className = "") => fastbp.html("li", { class: className },
      fastbp.html("span", { class: "sign" }, sign),
      fastbp.html("span", { class: "factor" },
        fastbp.html("span", {}, name),
        fastbp.html("strong", { class: "number" }, fastbp.number(value, 4)),
        fastbp.html("span", { class: "meaning" }, meaning)));
    $("chain").replaceChildren(
      ...factors.map(([name, value, meaning, className], k) => card(k ? "×" : "", name, value, meaning, className)),
      card("=", `dJ/d${weight.name}`, product(factors), `their product, for row ${row + 1} alone`, "product"),
    );
    const sum = now.gradient[chosen], slope = measured(chosen);
    $("sum").textContent = sum.toFixed(8).replace("-", "−");
    $("measured").textContent = slope.toFixed(8).replace("-", "−");
    $("verdict").textContent = verdict(sum, slope);
    const w = net.parameters[chosen], reach = Math.max(6, Math.ceil(Math.abs(w)));
    const slider = $("value");
    slider.min = -reach;
    slider.max = reach;
    slider.value = w;
    $("number").textContent = fastbp.fixed(w, 2);
    $("weight").value = weight.name;
    $("row").value = row;
  };

  // a table: what is in each row of it; the first cell is its head
  const fillTable = (body, rows, marked) => body.replaceChildren(...rows.map(([head, ...cells], k) =>
    fastbp.html("tr", k === marked ? { class: "marked" } : {},
      fastbp.html("th", { scope: "row", class: "text" }, head),
      ...cells.map((cell) => fastbp.html("td", { class: typeof cell === "string" ? "number" : "text" }, cell)))));
  const updateTables = () => {
    const { fixed, bar } = fastbp;
    const weights = net.parameters.map((w, k) =>
      [names[k], fixed(w), fixed(w - start[k]), fixed(now.gradient[k]), bar(blame.parameters[k])]);
    fillTable($("weights"), weights, chosen);
    const rows = now.rows.map(({ y }, n) =>
      [`${n + 1}`, X[n].join(" "), fixed(T[n][0], 1), fixed(y[2][0]), bar(blame.rows[n])]);
    fillTable($("rows"), rows, row);
    fillTable($("units"), [4, 5, 6].map((unit) => {
      const [l, j] = unit === 6 ? [1, 0] : [0, unit - 4];
      const error = now.rows.reduce((sum, { deltas }) => sum + Math.abs(deltas[l][j]), 0);
      return [`${unit}`, fixed(error), bar(blame.units[l][j])];
    }));
  };
  const draw = () => {
    updateGraph();
    updateChart();
    updateChain();
    updateTables();
  };
  const say = (text) => { $("status").textContent = text; };
  const tell = () => say(finite() ? `Step ${losses.length - 1}: J = ${fastbp.number(now.loss)}.`
    : "J is too large for a number: the steps are too long. Start again with a smaller rate.");

  const choose = (k) => {
    chosen = k;
    draw();
    const [w, slope] = [net.parameters[k], now.gradient[k]].map((number) => fastbp.number(number, 3));
    say(`${names[k]} = ${w}, dJ/d${names[k]} = ${slope}.`);
  };

  // a run: as many steps per picture as make the whole of it last some seconds
  const stop = () => {
    cancelAnimationFrame(timer);
    timer = null;
    $("run").textContent = "Run until it converges";
  };
  const run = () => {
    const first = losses.length - 1, still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const left = () => first + MOST - (losses.length - 1);
    const ended = () => !finite() || converged();
    const frame = () => {
      advance(still ? MOST : Math.min(left(), 1 + Math.floor((losses.length - first) / 40)), ended);
      const done = ended() || left() <= 0;
      draw();
      if (!done) { timer = requestAnimationFrame(frame); return; }
      stop();
      const steps = losses.length - 1, J = `J = ${fastbp.number(now.loss, 3)}.`;
      if (!finite()) tell();
      else if (converged()) say(`Converged after ${steps} steps: every derivative is below 0.00001. ${J}`);
      else say(`Stopped after ${steps} steps, which did not converge. ${J}`);
    };
    $("run").textContent = "Stop";
    say("Running.");
    timer = requestAnimationFrame(frame);
  };
  const take = (n) => {
    stop();
    if (n === Infinity) { run(); return; }
    advance(n);
    draw();
    tell();
  };

  const offer = (select, options, value) => {
    select.append(...options.map(([key, text]) => fastbp.html("option", { value: key }, text)));
    select.value = value;
  };
  const settle = () => {
    net.layers.forEach((layer, l) => {
      layer.activation = $(`activation-${l}`).value;
      layer.slope = $(`slope-${l}`).value;
    });
    rate = Number($("rate").value);
  };
  for (const l of [0, 1]) {
    const functions = Object.entries(fastbp.ACTIVATIONS).map(([name, { formula }]) => [name, `${name}: ${formula}`]);
    offer($(`activation-${l}`), functions, "sigmoid");
    offer($(`slope-${l}`), Object.entries(SLOPE_NAMES), "own");
  }
  offer($("rate"), RATES.map((number) => [number, `${number}`]), rate);
  offer($("weight"), names.map((name) => [name, name]), names[chosen]);
  offer($("row"), X.map((x, n) => [n, `${n + 1}: x = ${x.join(" ")}, y = ${T[n][0]}`]), row);
  for (const name of ["activation-0", "activation-1", "slope-0", "slope-1", "rate"])
    $(name).addEventListener("change", () => { settle(); changed(); draw(); tell(); });
  $("weight").addEventListener("change", (event) => choose(indexOf(event.target.value)));
  $("row").addEventListener("change", (event) => { row = Number(event.target.value); draw(); });
  $("value").addEventListener("input", (event) => {
    const numbers = net.parameters;
    numbers[chosen] = Number(event.target.value);
    net.parameters = numbers;
    changed();
    draw();
    tell();
  });
  $("one").addEventListener("click", () => take(1));
  $("ten").addEventListener("click", () => take(10));
  $("run").addEventListener("click", () => (timer === null ? run() : (stop(), tell())));
  $("again").addEventListener("click", () => { stop(); restart(); draw(); tell(); });
  // tables are another way to choose, with a mouse; the lists above them are the one with keys
  const picked = (event, body) => [...body.children].indexOf(event.target.closest("tr"));
  $("weights").addEventListener("click", (event) => choose(picked(event, $("weights"))));
  $("rows").addEventListener("click", (event) => { row = picked(event, $("rows")); draw(); });
  $("tries").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    const { activation = "sigmoid", slope = "own", weight = "w14", value, steps } = TRIES[button.dataset.try];
    $("activation-0").value = activation;
    $("slope-0").value = slope;
    $("activation-1").value = "sigmoid";
    $("slope-1").value = "own";
    $("rate").value = 1;
    settle();
    chosen = indexOf(weight);
    net.parameters = start.map((w, k) => (k === chosen && value !== undefined ? value : w));
    look();
    losses = [now.loss];
    take(steps);
    $("status").scrollIntoView({ block: "nearest" });
  });

  restart();
  draw();
  tell();
}
