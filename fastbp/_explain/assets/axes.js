// Axes to draw curves on.

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

// [step, loss] for no more of the steps than can be seen; the first and the last are among them
fastbp.course = (losses) => {
  const last = losses.length - 1, every = Math.ceil(losses.length / 400), points = [];
  for (let step = 0; step < last; step += every) points.push([step, losses[step]]);
  return [...points, [last, losses[last]]];
};

{
  const WIDTH = 360;  // no more, so that text is large enough on a phone
  const MARGIN = { left: 64, right: 24, top: 12, bottom: 44 };  // right: half of the label of the last tick

  // the curve through [x, y] places in a picture; it has gaps where a number is not finite
  const path = (places) => {
    let d = "", pen = "M";
    for (const place of places) {
      const seen = place.every(Number.isFinite);
      if (seen) d += pen + place.map((p) => p.toFixed(2)).join(" ");
      pen = seen ? "L" : "M";
    }
    return d;
  };

  const drawFrame = ({ X, Y, put, text }, { x, y, xLabel, yLabel, log, grid, height }) => {
    const { left, top } = MARGIN, right = WIDTH - MARGIN.right, base = height - MARGIN.bottom;
    const ticks = (ends, options) => (ends[0] < ends[1] ? fastbp.ticks(...ends, options) : [ends[0]]);
    for (const tick of ticks(y, { log })) {
      if (grid) put("path", { class: "grid", d: `M${left} ${Y(tick)}H${right}` });
      text(left - 6, Y(tick) + 4, log ? fastbp.power(tick) : fastbp.number(tick, 3), { "text-anchor": "end" });
    }
    for (const tick of ticks(x)) {
      put("path", { class: "axis", d: `M${X(tick)} ${base}v4` });
      text(X(tick), base + 17, fastbp.number(tick, 3));
    }
    put("path", { class: "axis", d: `M${left} ${top}V${base}H${right}` });
    text((left + right) / 2, height - 8, xLabel);
    const middle = (top + base) / 2;
    text(13, middle, yLabel, yLabel.length > 2 ? { transform: `rotate(-90 13 ${middle})` } : {});
  };

  // Axes in an svg element, which is emptied. x and y are [low, high]; `log` makes y logarithmic. In a square picture,
  // both axes have the same length.
  fastbp.axes = (svg, { x, y, xLabel, yLabel, log = false, grid = true, height = 190, square = false }) => {
    const { left, right, top, bottom } = MARGIN, across = WIDTH - left - right;
    if (square) height = across + top + bottom;
    const scaled = log ? Math.log10 : (number) => number;
    const [y0, y1] = y.map(scaled);
    const X = (number) => left + across * (number - x[0]) / (x[1] - x[0] || 1);
    const Y = (number) => height - bottom - (height - top - bottom) * (scaled(number) - y0) / (y1 - y0 || 1);
    const put = fastbp.putting(svg);
    const text = (px, py, words, attributes = {}) =>
      put("text", { x: px, y: py, "text-anchor": "middle", "font-size": 12, ...attributes }, words);
    const curve = (points, className = "") =>
      put("path", { class: `curve ${className}`, d: path(points.map(([px, py]) => [X(px), Y(py)])) });
    const dot = (px, py, className = "", r = 4) =>
      put("circle", { class: `mark ${className}`, cx: X(px), cy: Y(py), r });
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    svg.replaceChildren();
    drawFrame({ X, Y, put, text }, { x, y, xLabel, yLabel, log, grid, height });
    return { X, Y, put, text, curve, dot };
  };
}
