// The closed curves that bound the area where the values are below `level`, as lists of [column, row]. values[j][i]
// counts as infinite outside the grid, so that curves which leave the map close along its border.
fastbp.contours = (values, level) => {
  const value = ([i, j]) => values[j]?.[i] ?? Infinity;
  // where the value is `level` on the edge from a place inside to its neighbor outside
  const between = (a, b) => {
    const share = (level - value(a)) / (value(b) - value(a));
    return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
  };
  // each cell leads from the edges where a walk around it leaves the area to those where it comes in again
  const next = new Map(), points = new Map();
  for (let j = -1; j < values.length; j++)
    for (let i = -1; i < values[0].length; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
      const crossings = [];
      corners.forEach((a, k) => {
        const b = corners[(k + 1) % 4];
        const [from, to] = [value(a) < level, value(b) < level];
        if (from === to) return;
        const edge = `${a[0] + b[0]},${a[1] + b[1]}`;
        crossings.push({ edge, leaves: from });
        points.set(edge, from ? between(a, b) : between(b, a));
      });
      crossings.forEach(({ edge, leaves }, k) => {
        if (leaves) next.set(edge, crossings[(k + 1) % crossings.length].edge);
      });
    }
  const curves = [];
  for (let [edge] of next) {
    const curve = [];
    while (next.has(edge)) {
      curve.push(points.get(edge));
      const following = next.get(edge);
      next.delete(edge);
      edge = following;
    }
    if (curve.length) curves.push(curve);
  }
  return curves;
};
