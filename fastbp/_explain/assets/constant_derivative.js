// Four networks that learn the same curve, with different functions in the gradient in place of f'.
{
  const { x, y, line, starts, units, rate, steps, labels, activations } = fastbp.data["constant-derivative"];
  const [X, T] = [x.map((number) => [number]), y.map((number) => [number])];
  const element = fastbp.elements("constant-derivative");
  const slopes = Object.keys(labels);
  const [first, last] = [x[0], x.at(-1)];

  // ---- the networks

  const state = fastbp.state["constant-derivative"] = { activation: activations[0], start: 0 };

  const untrained = (slope) => {
    const net = new fastbp.Network([
      fastbp.layer(1, units, state.activation, slope), fastbp.layer(units, 1, "identity"),
    ], "mse");
    net.parameters = starts[state.start];
    return net;
  };

  const reset = () => {
    run.stop();
    state.steps = 0;
    state.nets = Object.fromEntries(slopes.map((slope) => [slope, untrained(slope)]));
    state.losses = Object.fromEntries(slopes.map((slope) => [slope, [state.nets[slope].evaluate(X, T)]]));
    show();
  };

  const train = (n) => {
    for (const slope of slopes) {
      const net = state.nets[slope], losses = state.losses[slope];
      losses.pop();  // each step returns the error before it
      for (let k = 0; k < n; k++) losses.push(net.step(X, T, rate));
      losses.push(net.evaluate(X, T));
    }
    state.steps += n;
  };

  // |W - W at the start| / |W at the start| of the hidden layer
  const moved = (slope) => {
    const [now, before] = [state.nets[slope], untrained(slope)].map((net) => net.layers[0].W.flat());
    return Math.hypot(...now.map((w, k) => w - before[k])) / Math.hypot(...before);
  };

  // ---- pictures

  // each network has its color and dashes, in all pictures
  const LOOKS = {
    own: "stroke: var(--blue)",
    one: "stroke: var(--vermilion); stroke-dasharray: 7 3",
    zero: "stroke: var(--green); stroke-dasharray: 2 3",
    negated: "stroke: var(--purple); stroke-dasharray: 9 3 2 3",
    line: "stroke: currentColor; stroke-width: 1",
  };

  const draw = (axes, name, points) => { axes.curve(points).style.cssText = LOOKS[name]; };

  const figures = Object.fromEntries(slopes.map((slope) => {
    const label = `What the network has learned with ${labels[slope]} in place of f'`;
    const svg = fastbp.svg("svg", { role: "img", "aria-label": label });
    const caption = fastbp.html("figcaption");
    element("fits").append(fastbp.html("figure", {}, svg, caption));
    return [slope, { svg, caption }];
  }));

  const showFit = (slope) => {
    const { svg, caption } = figures[slope];
    const axes = fastbp.axes(svg, { x: [first, last], y: [-1.5, 1.5], xLabel: "input x", yLabel: "output h" });
    draw(axes, "line", [first, last].map((input) => [input, line.slope * input + line.intercept]));
    x.forEach((input, k) => {
      axes.dot(input, y[k], "", 2.5).style.cssText = "stroke: currentColor; stroke-width: 1";
    });
    const inside = (number) => (Math.abs(number) <= 1.5 ? number : NaN);
    const inputs = Array.from({ length: 161 }, (_, k) => [first + (last - first) * k / 160]);
    draw(axes, slope, state.nets[slope].predict(inputs).map(([h], k) => [inputs[k][0], inside(h)]));
    const [loss, ofLine] = [state.losses[slope].at(-1), line.error].map((number) => fastbp.number(number, 3));
    caption.textContent = `In place of f': ${labels[slope]}. J = ${loss} (best line, thin: ${ofLine})`;
  };

  const showLosses = () => {
    const courses = Object.fromEntries(slopes.map((slope) => [slope, fastbp.course(state.losses[slope])]));
    const all = Object.values(courses).flat().map(([, loss]) => loss).filter(Number.isFinite);
    const powers = [Math.floor(Math.log10(Math.min(...all))), Math.ceil(Math.log10(Math.max(2, ...all)))];
    const end = Math.max(steps, state.steps);
    const axes = fastbp.axes(element("losses"), {
      x: [0, end], y: powers.map((power) => 10 ** power), log: true, xLabel: "steps", yLabel: "error J", height: 240,
    });
    draw(axes, "line", [[0, line.error], [end, line.error]]);
    for (const slope of slopes) draw(axes, slope, courses[slope]);
    [...slopes, "line"].forEach((name, k) => {
      const at = 68 + (k ? 18 : 0) + 53 * k;  // the first label is the longest
      axes.put("path", { class: "curve", style: LOOKS[name], d: `M${at} 20h22` });
      axes.text(at + 26, 24, labels[name] ?? "line", { "text-anchor": "start" });
    });
  };

  const showNumbers = () => {
    const rows = slopes.map((slope) => {
      const loss = state.losses[slope].at(-1), numbers = [loss, loss / line.error, moved(slope)];
      return fastbp.row(labels[slope], numbers.map((number) => fastbp.number(number, 3)));
    });
    element("numbers").replaceChildren(...rows, fastbp.row("best line", [fastbp.number(line.error, 3), "1", ""]));
  };

  const show = () => {
    slopes.forEach(showFit);
    showLosses();
    showNumbers();
    fastbp.say(element("status"), run.running() ? "Running."
      : `Start ${state.start + 1} of ${starts.length}, after ${fastbp.counted(state.steps, "step")}.`);
  };

  // ---- what the reader can do

  let goal = 0;  // where the present run ends
  const run = fastbp.repeating(element("run"), {
    begin: () => { goal = state.steps + steps; },
    tick: (n) => {
      train(Math.min(n, goal - state.steps));
      return state.steps < goal;
    },
    show,
  });
  element("step").addEventListener("click", () => {
    run.stop();
    train(10);
    show();
  });
  element("reset").addEventListener("click", reset);
  element("other").addEventListener("click", () => {
    state.start = (state.start + 1) % starts.length;
    reset();
  });
  fastbp.offer(element("activation"), activations.map((name) => [name, name]), state.activation);
  element("activation").addEventListener("change", (event) => {
    state.activation = event.target.value;
    reset();
  });

  reset();
  element("run").click();  // the page opens with a whole training
}
