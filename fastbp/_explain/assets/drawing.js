// Pictures: elements of HTML and SVG, numbers as text, and axes to draw curves on.
{
  const filled = (element, attributes, children) => {
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  // an element with attributes and children; texts become text, never HTML
  fastbp.svg = (name, attributes = {}, ...children) =>
    filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
  fastbp.html = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);
}

// a number with as many digits as are worth reading
fastbp.number = (x, digits = 4) => {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "not a number" : x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6)
    ? x.toExponential(digits - 1).replace(/\.?0*e\+?/, "e") : `${Number(x.toPrecision(digits))}`;
  return text.replace(/-/g, "−");
};

// a number with a fixed number of decimals, for columns and for numbers that change: they do not jump
fastbp.fixed = (x, decimals = 4) => {
  const size = Math.abs(x);
  const fits = x === 0 || (size >= 0.5 * 10 ** -decimals && size < 1e4);
  return fits ? x.toFixed(decimals).replace("-", "−") : fastbp.number(x, 2);
};

// a power of ten, written as one if it is far from 1
fastbp.power = (x) => {
  const exponent = Math.round(Math.log10(x));
  if (Math.abs(exponent) <= 2) return fastbp.number(x);
  return `10${`${exponent}`.replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])}`;
};

// a share of 1 as percent
fastbp.percent = (share) => `${(100 * share).toFixed(1)} %`;

// a bar that is full at a share of 1, and the share beside it
fastbp.bar = (share, width = 56) => fastbp.html("span", { class: "share" },
  fastbp.svg("svg", { width, height: 10, viewBox: `0 0 ${width} 10`, preserveAspectRatio: "none", "aria-hidden": "true" },
    fastbp.svg("rect", { class: "track", width, height: 10 }),
    fastbp.svg("rect", { class: "blue", width: (width * share).toFixed(2), height: 10 })),
  fastbp.percent(share));

// About `count` round numbers from low to high; if `log`, powers of ten.
fastbp.ticks = (low, high, { log = false, count = 4 } = {}) => {
  if (log) {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((last - first) / count));
    const powers = [];
    for (let power = first; power <= last; power += every) powers.push(Number(`1e${power}`));
    return powers;
  }
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const every = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.99);
  const found = [];
  for (let k = Math.ceil(low / every - 1e-9); k * every <= high + every * 1e-9; k++) found.push(k * every);
  return found;
};

// Axes in an svg element, which is emptied. x and y are [low, high]; `log` makes y logarithmic.
fastbp.axes = (svg, { x, y, xLabel, yLabel, log = false, width = 460, height = 260 }) => {
  const [left, right, top, bottom] = [62, 20, 12, 44];
  const scaled = log ? Math.log10 : (number) => number;
  const [y0, y1] = y.map(scaled);
  const X = (number) => left + (width - left - right) * (number - x[0]) / (x[1] - x[0] || 1);
  const Y = (number) => height - bottom - (height - top - bottom) * (scaled(number) - y0) / (y1 - y0 || 1);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const put = (name, attributes, ...children) => {
    const element = fastbp.svg(name, attributes, ...children);
    svg.append(element);
    return element;
  };
  const text = (px, py, words, attributes = {}) =>
    put("text", { x: px, y: py, "text-anchor": "middle", "font-size": 12, ...attributes }, words);
  const ticks = (ends, options) => (ends[0] < ends[1] ? fastbp.ticks(...ends, options) : [ends[0]]);
  for (const tick of ticks(y, { log })) {
    put("path", { class: "grid", d: `M${left} ${Y(tick)}H${width - right}` });
    text(left - 6, Y(tick) + 4, log ? fastbp.power(tick) : fastbp.number(tick, 3), { "text-anchor": "end" });
  }
  for (const tick of ticks(x)) {
    put("path", { class: "axis", d: `M${X(tick)} ${height - bottom}v4` });
    text(X(tick), height - bottom + 17, fastbp.number(tick, 3));
  }
  put("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` });
  text((left + width - right) / 2, height - 8, xLabel);
  const middle = (top + height - bottom) / 2;
  text(14, middle, yLabel, yLabel.length > 1 ? { transform: `rotate(-90 14 ${middle})` } : {});
  return {
    X, Y, put, text,
    // a curve through [x, y] pairs; it has gaps where a number is not finite
    curve: (points, className = "") => {
      let d = "", pen = "M";
      for (const [px, py] of points) {
        const at = [X(px), Y(py)];
        const seen = at.every(Number.isFinite);
        if (seen) d += pen + at.map((p) => p.toFixed(2)).join(" ");
        pen = seen ? "L" : "M";
      }
      return put("path", { class: `curve ${className}`, d });
    },
    dot: (px, py, className = "", r = 4) => put("circle", { class: `mark ${className}`, cx: X(px), cy: Y(py), r }),
  };
};
