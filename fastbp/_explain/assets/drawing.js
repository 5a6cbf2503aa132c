// Pictures: elements of SVG, and axes to draw curves on.
"use strict";

// an element of SVG with attributes and children; texts become text, never HTML
fastbp.svg = (name, attributes = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

// a number with as many digits as are worth reading
fastbp.number = (x, digits = 4) => {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "not a number" : x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? x.toExponential(digits - 1) : `${Number(x.toPrecision(digits))}`;
  return text.replace(/-/g, "−");
};

// Axes in an svg element, which is emptied. x and y are [low, high]; `log` makes y logarithmic.
fastbp.axes = (svg, { x, y, xLabel, yLabel, log = false, width = 460, height = 260 }) => {
  const [left, right, top, bottom] = [56, 12, 12, 40];
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
  put("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` });
  for (const end of x) text(X(end), height - bottom + 16, fastbp.number(end, 3), { "text-anchor": end === x[0] ? "start" : "end" });
  for (const end of y) text(left - 5, Y(end) + (end === y[0] ? 0 : 10), fastbp.number(end, 3), { "text-anchor": "end" });
  text((left + width - right) / 2, height - 8, xLabel);
  const middle = (top + height - bottom) / 2;
  text(14, middle, yLabel, { transform: `rotate(-90 14 ${middle})` });
  return {
    X, Y, put, text,
    // a curve through [x, y] pairs; it has gaps where a number is not finite
    curve: (points, className = "") => {
      let d = "", pen = "M";
      for (const [px, py] of points) {
        const at = [X(px), Y(py)];
        if (at.every(Number.isFinite)) { d += `${pen}${at.map((p) => p.toFixed(2)).join(" ")}`; pen = "L"; } else pen = "M";
      }
      return put("path", { class: `curve ${className}`, d });
    },
    dot: (px, py, className = "", r = 4) => put("circle", { class: `mark ${className}`, cx: X(px), cy: Y(py), r }),
  };
};
