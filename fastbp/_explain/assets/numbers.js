// Numbers as text.

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

// a base, which is text, with an integer exponent
fastbp.raised = (base, exponent) =>
  base + `${exponent}`.replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);

// a power of ten, written as one if it is far from 1
fastbp.power = (x) => {
  const exponent = Math.round(Math.log10(x));
  return Math.abs(exponent) <= 2 ? fastbp.number(x) : fastbp.raised("10", exponent);
};

// a share of 1 as percent; a dash if it is not known
fastbp.percent = (share, decimals = 1) => (Number.isFinite(share) ? `${(100 * share).toFixed(decimals)} %` : "–");

// how many there are of something whose plural ends in s
fastbp.counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
