// How much of the error reaches each layer of a deep network.
{
  const { weights, suited, X, y } = fastbp.data.depth;
  const element = fastbp.elements("depth");
  const [low, high] = [-8, 1];  // powers of ten at the ends of the scale
  const decades = [-8, -4, 0];
  const at = (power) => `${Math.max(0, 100 * (power - low) / (high - low)).toFixed(2)}%`;
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

  const network = (activation, initializer, depth) => {
    const drawn = weights[initializer];
    const made = (W, name) => ({ W, b: W[0].map(() => 0), activation: name });
    return new fastbp.Network(
      [...drawn.slice(0, depth).map((W) => made(W, activation)), made(drawn.at(-1), "identity")], "mse",
    );
  };

  // RMS of dJ/dz and mean of |f'(z)| of every layer
  const measured = (net) => {
    const { rows } = net.backward(X, y);
    return {
      net,
      rms: net.layers.map((_, l) => Math.sqrt(mean(rows.flatMap((row) => row.deltas[l].map((delta) => delta ** 2))))),
      slopes: net.layers.map((_, l) => mean(rows.flatMap((row) => net.slopes(l, row.z[l]).map(Math.abs)))),
    };
  };

  const drawScale = () => {
    element("scale").replaceChildren(...decades.map((power) => fastbp.svg(
      "text", { x: at(power), y: 12, "text-anchor": power === low ? "start" : "middle", "font-size": 11 },
      fastbp.power(10 ** power),
    )));
  };

  const bar = (ratio) => {
    const lines = decades.map(at).map((x) => fastbp.svg("line", { class: "axis", x1: x, x2: x, y1: 0, y2: "100%" }));
    return fastbp.svg(
      "svg", { "aria-hidden": "true" }, ...lines,
      fastbp.svg("rect", { class: "blue", y: "20%", height: "60%", width: at(Math.log10(ratio)) }),
    );
  };

  const verdict = (activation, depth, ratio) => {
    const layers = depth === 1 ? "one hidden layer" : `${depth} hidden layers`;
    const said = `With ${activation} and ${layers}, layer 1 gets ${fastbp.number(ratio, 2)} of what the output gets.`;
    if (activation !== "sigmoid") return said;
    const most = `${fastbp.raised("(1/4)", depth)} = ${fastbp.number(0.25 ** depth, 2)}`;
    return `${said} The factors f' alone leave at most ${most}.`;
  };

  const show = () => {
    const depth = element("depth").valueAsNumber, activation = element("activation").value;
    const found = measured(network(activation, element("initializer").value, depth));
    const last = found.rms.at(-1);
    fastbp.state.depth = { ...found, ratio: found.rms[0] / last };
    element("shown").textContent = depth;
    element("layers").replaceChildren(...found.rms.map((rms, l) => {
      const numbers = [rms / last, found.slopes[l]].map((number) => fastbp.number(number, 2));
      return fastbp.row(l === depth ? "output" : `${l + 1}`, [bar(rms / last), ...numbers]);
    }));
    fastbp.say(element("verdict"), verdict(activation, depth, found.rms[0] / last));
  };

  element("activation").addEventListener("input", () => {
    element("initializer").value = suited[element("activation").value];
    show();
  });
  element("initializer").addEventListener("input", show);
  element("depth").addEventListener("input", show);
  drawScale();
  show();
}
