// A multi-layer perceptron in plain JavaScript: forward pass, back-propagation and gradient descent.
// All scripts of a page are joined into one, this one first; they share `fastbp`. A section keeps in `fastbp.state`, by
// the id of its element, what it shows: tests read it there.
"use strict";
const fastbp = { data: JSON.parse(document.getElementById("data").textContent), state: {} };

// f and f' of a unit, both of its weighted sum z; named and defined as in `fastbp.activations`
fastbp.ACTIVATIONS = (() => {
  const sigmoid = (z) => 1 / (1 + Math.exp(-z));
  return {
    sigmoid: { f: sigmoid, slope: (z) => sigmoid(z) * (1 - sigmoid(z)), formula: "1 / (1 + e⁻ᶻ)" },
    tanh: { f: Math.tanh, slope: (z) => 1 - Math.tanh(z) ** 2, formula: "tanh z" },
    relu: { f: (z) => Math.max(z, 0), slope: (z) => (z > 0 ? 1 : 0), formula: "max(z, 0)" },
    leaky_relu: { f: (z) => (z > 0 ? z : 0.01 * z), slope: (z) => (z > 0 ? 1 : 0.01), formula: "z, or 0.01 z below 0" },
    softplus: {
      f: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), slope: sigmoid, formula: "ln(1 + eᶻ)",
    },
    sine: { f: Math.sin, slope: Math.cos, formula: "sin z" },
    identity: { f: (z) => z, slope: () => 1, formula: "z" },
    step: { f: (z) => (z >= 0 ? 1 : 0), slope: () => 0, formula: "1, or 0 below 0" },
  };
})();

// what may stand in the gradient in the place of f'
fastbp.SLOPES = {
  own: (activation) => activation.slope,
  one: () => () => 1,
  zero: () => () => 0,
  negated: (activation) => (z) => -activation.slope(z),
};

// J is the sum of `of` over the errors h - t of all n rows and m outputs, divided by `divisor`
fastbp.LOSSES = {
  half_sse: { of: (error) => error * error / 2, slope: (error) => error, divisor: () => 1 },
  mse: { of: (error) => error * error, slope: (error) => 2 * error, divisor: (n, m) => n * m },
};

// a layer of zeros
fastbp.layer = (nIn, nOut, activation, slope = "own") => {
  const zeros = () => Array(nOut).fill(0);
  return { W: Array.from({ length: nIn }, zeros), b: zeros(), activation, slope };
};

fastbp.Network = class {
  // layers: [{ W: n_in rows of n_out numbers, b: n_out numbers, activation, slope }]; the last two are names
  constructor(layers, loss) {
    this.layers = layers.map(({ W, b, activation, slope = "own" }) => ({
      W: W.map((row) => [...row]), b: [...b], activation, slope,
    }));
    this.loss = loss;
  }

  copy() { return new fastbp.Network(this.layers, this.loss); }

  // all numbers in the order of `Network.parameters`: W of each layer row by row, then its b
  get parameters() { return this.layers.flatMap(({ W, b }) => [...W.flat(), ...b]); }

  set parameters(numbers) {
    let at = 0;
    for (const { W, b } of this.layers)
      for (const row of [...W, b])
        for (let j = 0; j < row.length; j++) row[j] = numbers[at++];
  }

  // weighted sums z and outputs y of every layer for one row of inputs; y[0] are the inputs, y.at(-1) the outputs
  forward(x) {
    const z = [], y = [x];
    this.layers.forEach(({ W, b, activation }, l) => {
      z.push(b.map((bias, j) => y[l].reduce((sum, input, i) => sum + input * W[i][j], bias)));
      y.push(z[l].map(fastbp.ACTIVATIONS[activation].f));
    });
    return { z, y };
  }

  predict(X) { return X.map((x) => this.forward(x).y.at(-1)); }

  // J of all rows
  evaluate(X, T) {
    const { of, divisor } = fastbp.LOSSES[this.loss];
    const errors = this.predict(X).flatMap((h, n) => h.map((output, k) => output - T[n][k]));
    return errors.reduce((sum, error) => sum + of(error), 0) / divisor(X.length, T[0].length);
  }

  // the derivative that the gradient uses, at the weighted sums of layer l: f', or what stands in its place
  slopes(l, z) {
    const { activation, slope } = this.layers[l];
    return z.map(fastbp.SLOPES[slope](fastbp.ACTIVATIONS[activation]));
  }

  // J of all rows, dJ/dparameters, and per row z, y, dJ/dh of the outputs, and dJ/dz (deltas) of every layer
  backward(X, T) {
    const { of, slope, divisor } = fastbp.LOSSES[this.loss];
    const d = divisor(X.length, T[0].length);
    const sums = this.layers.map(({ W, b }) => ({ W: W.map((row) => row.map(() => 0)), b: b.map(() => 0) }));
    let loss = 0;
    const rows = X.map((x, n) => {
      const { z, y } = this.forward(x);
      const errors = y.at(-1).map((h, k) => h - T[n][k]);
      loss += errors.reduce((sum, error) => sum + of(error), 0);
      const d_h = errors.map((error) => slope(error) / d);
      const deltas = [];
      let d_y = d_h;  // dJ/dy of the layer, from the outputs to the inputs
      for (let l = this.layers.length - 1; l >= 0; l--) {
        const slopes = this.slopes(l, z[l]);
        const delta = d_y.map((share, j) => share * slopes[j]);
        deltas.unshift(delta);
        delta.forEach((share, j) => {
          sums[l].b[j] += share;
          y[l].forEach((input, i) => { sums[l].W[i][j] += input * share; });
        });
        d_y = this.layers[l].W.map((row) => row.reduce((sum, w, j) => sum + w * delta[j], 0));
      }
      return { z, y, d_h, deltas };
    });
    return { loss: loss / d, gradient: sums.flatMap(({ W, b }) => [...W.flat(), ...b]), rows };
  }

  // one step against the gradient
  descend(gradient, rate) {
    this.parameters = this.parameters.map((w, k) => w - rate * gradient[k]);
  }

  // one step of gradient descent over all rows; returns J before it
  step(X, T, rate) {
    const { loss, gradient } = this.backward(X, T);
    this.descend(gradient, rate);
    return loss;
  }
};

// Shares of the error, from what `backward` returned: of each unit in its layer, of each parameter, and of each
// row, as `fastbp.inspect.blame` defines them. They sum to 1; a share of nothing is 0, and one of what is too large for
// a number is NaN.
fastbp.blame = ({ gradient, rows }) => {
  const size = (numbers) => numbers.reduce((sum, number) => sum + Math.abs(number), 0);
  const shares = (numbers) => {
    const all = size(numbers);
    return numbers.map((number) => (all === 0 ? 0 : Number.isFinite(all) ? Math.abs(number) / all : NaN));
  };
  return {
    units: rows[0].deltas.map((layer, l) => shares(layer.map((_, j) => size(rows.map(({ deltas }) => deltas[l][j]))))),
    parameters: shares(gradient),
    rows: shares(rows.map(({ deltas }) => size(deltas.at(-1)))),
  };
};
