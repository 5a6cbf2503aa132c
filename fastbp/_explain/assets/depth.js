// How much of the error reaches each layer of a deep network.
"use strict";
{
  const { weights, suited, X, y } = fastbp.data.depth;
  const element = (name) => document.getElementById(`depth-${name}`);
  const [low, high] = [-8, 1];  // powers of ten at the ends of the scale
  const decades = [-8, -4, 0];
  const raised = (base, power) => `${base}${`${power}`.replace(/./g, (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]))}`;
  const at = (power) => `${Math.max(0, 100 * (power - low) / (high - low)).toFixed(2)}%`;
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

  // two digits, so that the column stays narrow
  const short = (x) => (x >= 0.01 ? fastbp.number(x, 2) : x.toExponential(1).replace("-", "−"));

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
      power === 0 ? "1" : raised("10", power),
    )));
  };

  const bar = (ratio) => {
    const lines = decades.map((power) => fastbp.svg("line", { class: "axis", x1: at(power), x2: at(power), y1: 0, y2: "100%" }));
    return fastbp.svg(
      "svg", { "aria-hidden": "true" }, ...lines,
      fastbp.svg("rect", { class: "blue", y: "20%", height: "60%", width: at(Math.log10(ratio)) }),
    );
  };

  const cell = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const row = (name, ratio, slope) => cell(
    "tr", {},
    cell("th", { class: "text", scope: "row" }, name),
    cell("td", { class: "bar" }, bar(ratio)),
    cell("td", {}, short(ratio)),
    cell("td", {}, fastbp.number(slope, 2)),
  );

  const verdict = (activation, depth, ratio) => {
    const layers = depth === 1 ? "one hidden layer" : `${depth} hidden layers`;
    const said = `With ${activation} and ${layers}, layer 1 gets ${short(ratio)} of what the output gets.`;
    if (activation !== "sigmoid") return said;
    return `${said} The slopes f' alone leave at most ${raised("(1/4)", depth)} = ${short(0.25 ** depth)}.`;
  };

  const show = () => {
    const depth = element("depth").valueAsNumber, activation = element("activation").value;
    const found = measured(network(activation, element("initializer").value, depth));
    const last = found.rms.at(-1);
    fastbp.state.depth = { ...found, ratio: found.rms[0] / last };
    element("shown").textContent = depth;
    element("layers").replaceChildren(...found.rms.map((rms, l) =>
      row(l === depth ? "output" : `${l + 1}`, rms / last, found.slopes[l])));
    element("verdict").textContent = verdict(activation, depth, found.rms[0] / last);
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
