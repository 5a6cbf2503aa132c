// The worked example: a network of three inputs, two hidden units and an output; what its error says about each of
// its eleven weights, and where gradient descent takes them.
{
  const { inputs: X, targets: T, names, start } = fastbp.data["worked-example"];
  const MOST = 20000;      // steps of one run
  const TOLERANCE = 1e-5;  // converged: every derivative is smaller
  const EPSILON = 1e-5;    // by which a weight is moved to measure dJ/dw
  const RATES = [0.01, 0.03, 0.1, 0.3, 1, 3, 10];
  const SLOPE_NAMES = {
    own: "f', the true one", one: "1 in place of f'", zero: "0 in place of f'", negated: "−f'",
  };
  const TRIES = {
    own: { steps: Infinity },
    zero: { slope: "zero", steps: 10 },
    one: { slope: "one", steps: Infinity },
    negated: { slope: "negated", steps: 10 },
    saturated: { weight: "b4", value: 6, steps: 0 },
    step: { activation: "step", steps: 10 },
  };

  const element = fastbp.elements("worked");
  // where each parameter is in the network: "w14" leads from unit 1 to unit 4, "b4" to unit 4
  const WEIGHTS = names.map((name) => ({
    name, source: name[0] === "w" ? Number(name[1]) : null, target: Number(name.at(-1)),
  }));
  const indexOf = (name) => names.indexOf(name);

  // ---- the network, and the error of all rows

  const net = new fastbp.Network([fastbp.layer(3, 2, "sigmoid"), fastbp.layer(2, 1, "sigmoid")], "half_sse");
  let rate = 1, chosen = indexOf("w14"), row = 5, losses = [];
  let reach;        // the slider of the chosen weight goes from -reach to reach
  let now;          // what `backward` returned for the present weights
  let blame;        // and how the error is shared out
  let goal = null;  // after how many steps the last run ends; null: the last steps were no run

  const look = () => {
    now = net.backward(X, T);
    blame = fastbp.blame(now);
  };
  const steps = () => losses.length - 1;
  const restart = (parameters = start) => {
    run.stop();
    goal = null;
    reach = 6;
    net.parameters = parameters;
    look();
    losses = [now.loss];
  };
  // J is another one although no step was taken
  const changed = () => {
    if (!run.running()) goal = null;
    look();
    losses[steps()] = now.loss;
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

  // ---- the chain rule

  // the factors of dJ/dw for one row, from the error to the weight: name, value, meaning, class of the card
  const chain = ({ name, source, target }, n) => {
    const { z, y, d_h } = now.rows[n];
    const show = (x) => fastbp.number(x, 3);
    const [h, t] = [y[2][0], T[n][0]];
    const slope = (l, j, unit) => {
      const own = net.layers[l].slope === "own";
      const what = own ? "f'" : SLOPE_NAMES[net.layers[l].slope];
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
    get steps() { return steps(); },
    get running() { return run.running(); },
    get gradient() { return now.gradient; },
    get shares() { return blame; },
    factors: (name, n) => chain(WEIGHTS[indexOf(name)], n).map(([factor, value]) => [factor, value]),
    measured: (name) => measured(indexOf(name)),
  };

  // ---- pictures and tables

  const updateGraph = fastbp.workedGraph(element("graph"), WEIGHTS, (k) => choose(k));

  const updateChart = () => {
    const last = steps();
    const points = fastbp.course(losses).filter(([, loss]) => Number.isFinite(loss))
      .map(([step, loss]) => [step, Math.min(Math.max(loss, 1e-16), 1e300)]);
    const values = points.map(([, loss]) => loss);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const log = high > 10 * low;
    if (log) [low, high] = [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))];
    else {
      const space = Math.max((high - low) / 10, 0.005 * high);
      [low, high] = [low - space, high + space];
    }
    const axes = fastbp.axes(element("chart"), {
      x: [0, Math.max(10, last)], y: [low, high], xLabel: "steps", yLabel: "error J", log, height: 295,
    });
    axes.curve(points);
    axes.dot(...points.at(-1));
    const [before, after] = [losses[0], now.loss].map((loss) => fastbp.number(loss));
    element("chart").setAttribute("aria-label", `J over ${fastbp.counted(last, "step")}, from ${before} to ${after}`);
    const scale = log ? " (a logarithmic scale)" : "";
    element("course").textContent =
      `The error J of all eight rows: ${fastbp.fixed(now.loss)} after ${fastbp.counted(last, "step")}${scale}.`;
  };

  const verdict = (sum, slope) => {
    const { name } = WEIGHTS[chosen];
    if (!Number.isFinite(sum - slope)) return "Nothing to compare: the numbers have become too large.";
    if (Math.abs(sum - slope) <= 1e-8 * (1 + Math.abs(slope) + now.loss))  // what is lost to rounding grows with J
      return sum === 0 ? `They agree: J does not change with ${name}, so ${name} does not move.`
        : `They agree: this is how much J changes with ${name}, so a step against it leads downhill.`;
    if (net.layers.every((layer) => layer.slope === "own"))
      return "They differ: J bends too much within reach of ε, or f has a corner or a jump there.";
    if (sum === 0) return `They differ: J does change with ${name}, but the factors say 0. It cannot learn.`;
    return sum * slope < 0 ? `They differ, even in sign: a step against the product leads uphill along ${name}.`
      : "They differ: what stands in place of f' is not the derivative, and the steps lead elsewhere.";
  };
  const card = (sign, name, value, meaning, className = "") => fastbp.html("li", { class: className },
    fastbp.html("span", { class: "sign" }, sign),
    fastbp.html("span", { class: "factor" },
      fastbp.html("span", {}, name),
      fastbp.html("strong", { class: "number" }, fastbp.number(value, 4)),
      fastbp.html("span", { class: "meaning" }, meaning)));
  const updateChain = () => {
    const weight = WEIGHTS[chosen], factors = chain(weight, row);
    element("chain").replaceChildren(
      ...factors.map(([name, value, meaning, className], k) => card(k ? "×" : "", name, value, meaning, className)),
      card("=", `dJ/d${weight.name}`, product(factors), `their product, for row ${row + 1} alone`, "product"),
    );
    const sum = now.gradient[chosen], slope = measured(chosen);
    const shown = (x) => (Math.abs(x) < 1e6 ? x.toFixed(8).replace("-", "−") : fastbp.number(x, 9));
    element("sum").textContent = shown(sum);
    element("measured").textContent = shown(slope);
    element("verdict").textContent = verdict(sum, slope);
  };
  const updateChoice = () => {
    const w = net.parameters[chosen], slider = element("value");
    // it never shrinks, for then it would slip from the hand that moves it
    if (Number.isFinite(w)) reach = Math.max(reach, Math.ceil(Math.abs(w)));
    slider.min = -reach;
    slider.max = reach;
    slider.value = w;
    slider.setAttribute("aria-label", `value of ${names[chosen]}`);
    element("number").textContent = fastbp.fixed(w, 2);
    element("weight").value = names[chosen];
    element("row").value = row;
  };

  const updateTables = () => {
    const { fixed, bar } = fastbp;
    const rowOf = (head, cells, marked = false) => fastbp.row(head, cells, marked ? { class: "marked" } : {});
    fastbp.refill(element("weights"), net.parameters.map((w, k) => rowOf(
      names[k], [fixed(w), fixed(w - start[k]), fixed(now.gradient[k]), bar(blame.parameters[k])], k === chosen)));
    fastbp.refill(element("rows"), now.rows.map(({ y }, n) => rowOf(
      `${n + 1}`, [X[n].join(" "), fixed(T[n][0], 1), fixed(y[2][0]), bar(blame.rows[n])], n === row)));
    element("units").replaceChildren(...blame.units.flat().map((share, k) => {
      const error = now.rows.reduce((sum, { deltas }) => sum + Math.abs(deltas.flat()[k]), 0);
      return rowOf(`${k + 4}`, [fixed(error), bar(share)]);
    }));
  };

  const outcome = () => {
    const J = `J = ${fastbp.number(now.loss)}.`;
    if (run.running()) return "Running.";
    if (!finite())
      return "J is too large for a number: the steps are too long. Start again with a smaller learning rate.";
    if (goal !== null && converged())
      return `Converged after ${fastbp.counted(steps(), "step")}: every derivative is below 0.00001. ${J}`;
    if (goal === steps()) return `Not converged after ${fastbp.counted(steps(), "step")}. ${J}`;
    return `Step ${steps()}: ${J}`;
  };
  const draw = () => {
    const { y } = now.rows[row];
    updateGraph({
      parameters: net.parameters, x: y[0], outputs: y.slice(1).flat(), shares: blame.units.flat(),
      loss: now.loss, chosen,
    });
    updateChart();
    updateChain();
    updateChoice();
    updateTables();
    fastbp.say(element("status"), outcome());
  };

  // ---- what the reader can do

  const run = fastbp.repeating(element("run"), {
    begin: () => { goal = steps() + MOST; },
    tick: (n) => {
      const ended = () => !finite() || converged();
      advance(Math.min(n, goal - steps()), ended);
      return !ended() && steps() < goal;
    },
    show: draw,
  });
  const take = (n) => {
    run.stop();
    goal = null;
    advance(n);
    draw();
  };
  const choose = (k) => {
    chosen = k;
    reach = 6;
    draw();
    const [w, slope] = [net.parameters[k], now.gradient[k]].map((number) => fastbp.number(number, 3));
    fastbp.say(element("status"), `${names[k]} = ${w}, dJ/d${names[k]} = ${slope}.`);
  };
  const chooseRow = (n) => {
    row = n;
    draw();
  };
  const settle = () => {
    net.layers.forEach((layer, l) => {
      layer.activation = element(`activation-${l}`).value;
      layer.slope = element(`slope-${l}`).value;
    });
    rate = Number(element("rate").value);
  };
  for (const l of [0, 1]) {
    const functions = Object.entries(fastbp.ACTIVATIONS).map(([name, { formula }]) => [name, `${name}: ${formula}`]);
    fastbp.offer(element(`activation-${l}`), functions, "sigmoid");
    fastbp.offer(element(`slope-${l}`), Object.entries(SLOPE_NAMES), "own");
  }
  fastbp.offer(element("rate"), RATES.map((number) => [number, `${number}`]), rate);
  fastbp.offer(element("weight"), names.map((name) => [name, name]), names[chosen]);
  fastbp.offer(element("row"), X.map((x, n) => [n, `${n + 1}: x = ${x.join(" ")}, y = ${T[n][0]}`]), row);
  for (const name of ["activation-0", "activation-1", "slope-0", "slope-1", "rate"])
    element(name).addEventListener("change", () => {
      settle();
      changed();
      draw();
    });
  element("weight").addEventListener("change", (event) => choose(indexOf(event.target.value)));
  element("row").addEventListener("change", (event) => chooseRow(Number(event.target.value)));
  element("value").addEventListener("input", (event) => {
    const numbers = net.parameters;
    numbers[chosen] = Number(event.target.value);
    net.parameters = numbers;
    changed();
    draw();
  });
  element("one").addEventListener("click", () => take(1));
  element("ten").addEventListener("click", () => take(10));
  element("again").addEventListener("click", () => {
    restart();
    draw();
  });
  // Tables are another way to choose, with a mouse; the lists above them are the one with keys. A mouse that selects
  // text chooses nothing.
  const picking = (body, pick) => body.addEventListener("click", (event) => {
    const clicked = event.target.closest("tr");  // null if the button went down in another row
    if (clicked && getSelection().isCollapsed) pick([...body.children].indexOf(clicked));
  });
  picking(element("weights"), choose);
  picking(element("rows"), chooseRow);
  const attempt = ({ activation = "sigmoid", slope = "own", weight = "w14", value, steps: n }) => {
    const settings = {
      "activation-0": activation, "slope-0": slope, "activation-1": "sigmoid", "slope-1": "own", rate: 1,
    };
    for (const [name, setting] of Object.entries(settings)) element(name).value = setting;
    settle();
    chosen = indexOf(weight);
    restart(start.map((w, k) => (k === chosen ? value ?? w : w)));
    if (n === Infinity) element("run").click();
    else take(n);
    element("status").scrollIntoView({ block: "nearest" });
  };
  for (const button of element("tries").querySelectorAll("button"))
    button.addEventListener("click", () => attempt(TRIES[button.dataset.try]));

  restart();
  draw();
}
