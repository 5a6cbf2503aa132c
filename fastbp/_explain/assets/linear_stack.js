// Two layers, and the one layer that they are as long as nothing bends between them.
{
  const element = fastbp.elements("linear-stack");
  const form = element("form");
  const inputs = [...form.querySelectorAll("input")];
  const ticks = [-3, -2, -1, 0, 1, 2, 3].map((i) => i / 3);
  const points = ticks.flatMap((x1) => ticks.map((x2) => [x1, x2]));
  const fine = Array.from({ length: 49 }, (_, i) => i / 24 - 1);
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

  // the layer of a table: a row per input, then the bias
  const layer = (table, activation) => {
    const rows = [...table.rows].map((row) => [...row.querySelectorAll("input")].map((input) => input.valueAsNumber));
    return { W: rows.slice(0, -1), b: rows.at(-1), activation };
  };

  const through = (x, W) => W[0].map((_, j) => sum(x.map((number, i) => number * W[i][j])));

  const folded = ([first, second]) => ({
    W: first.W.map((row) => through(row, second.W)),
    b: through(first.b, second.W).map((number, j) => number + second.b[j]),
    activation: "identity",
  });

  // The one layer nearest to some outputs by least squares. On this grid the columns x1, x2 and 1 are orthogonal, so
  // each coefficient is a quotient.
  const nearest = (outputs) => ({
    W: [0, 1].map((i) => [0, 1].map((j) =>
      sum(points.map((x, n) => x[i] * outputs[n][j])) / sum(points.map((x) => x[i] ** 2)))),
    b: [0, 1].map((j) => sum(outputs.map((y) => y[j])) / points.length),
    activation: "identity",
  });

  const distance = (a, b) => Math.max(...a.flatMap((row, n) => row.map((number, j) => Math.abs(number - b[n][j]))));

  // dy1/dx1 at every point of the grid, by the chain rule
  const derivatives = (stack) => points.map((x) => {
    const slopes = stack.slopes(0, stack.forward(x).z[0]);
    const [first, second] = stack.layers;
    return sum(slopes.map((slope, k) => first.W[0][k] * slope * second.W[k][0]));
  });

  const measured = (activation) => {
    const layers = [layer(element("first"), activation), layer(element("second"), "identity")];
    const one = new fastbp.Network([folded(layers)], "mse");
    const stack = new fastbp.Network(layers, "mse");
    const outputs = stack.predict(points);
    const line = new fastbp.Network([nearest(outputs)], "mse");
    return {
      stack, one, line,
      difference: distance(outputs, one.predict(points)),
      miss: distance(outputs, line.predict(points)),
      derivatives: derivatives(stack),
    };
  };

  const drawGrid = (axes, map) => {
    for (const tick of ticks) {
      axes.curve(fine.map((x) => map([tick, x])), "thin");
      axes.curve(fine.map((x) => map([x, tick])), "thin");
    }
  };

  const draw = ({ stack, one }) => {
    const unit = [-1, 1];
    const inputAxes = fastbp.axes(element("inputs"), { x: unit, y: unit, xLabel: "x₁", yLabel: "x₂", square: true });
    drawGrid(inputAxes, (x) => x);
    inputAxes.dot(1, 1, "corner", 5);
    const largest = Math.max(...[stack, one].flatMap((net) => net.predict(points).flat().map(Math.abs)));
    const end = Math.max(1, Math.ceil(2 * largest) / 2);
    const range = [-end, end];
    const axes = fastbp.axes(element("outputs"), { x: range, y: range, xLabel: "y₁", yLabel: "y₂", square: true });
    drawGrid(axes, (x) => stack.predict([x])[0]);
    for (const y of one.predict(points)) axes.dot(...y, "second", 3.5);
    axes.dot(...stack.predict([[1, 1]])[0], "corner", 5);
  };

  const verdict = (activation, { difference, miss, derivatives }) => {
    const [low, high] = [Math.min(...derivatives), Math.max(...derivatives)];
    const shown = (x) => fastbp.number(x, 2);
    if (activation === "identity")
      return `The two layers and the one layer differ by at most ${shown(difference)} at the ${points.length} ` +
        `crossings: that is rounding. dy₁/dx₁ is ${shown(high)} everywhere.`;
    return `With ${activation}, the two layers and the one layer differ by up to ${shown(difference)}. No other ` +
      `single layer is the same either: the nearest (by least squares) misses by up to ${shown(miss)}. dy₁/dx₁ is ` +
      `between ${shown(low)} and ${shown(high)}, depending on the input.`;
  };

  const show = () => {
    if (!inputs.every((input) => Math.abs(input.valueAsNumber) <= 9)) {
      fastbp.say(element("verdict"), "Each weight must be a number from −9 to 9.");
      return;
    }
    const activation = element("activation").value;
    const found = measured(activation);
    fastbp.state["linear-stack"] = found;
    const { W, b } = found.one.layers[0];
    const cells = element("one").querySelectorAll("output");
    [...W, b].flat().forEach((number, k) => { cells[k].textContent = number.toFixed(3).replace("-", "−"); });
    draw(found);
    fastbp.say(element("verdict"), verdict(activation, found));
  };

  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));  // the fields have their first values only after the event
  show();
}
