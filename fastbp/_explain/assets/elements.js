// Elements of HTML and SVG.
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

// What puts elements into an svg element: putting(svg)("path", { d }) appends a path and returns it
fastbp.putting = (svg) => (...parts) => {
  const element = fastbp.svg(...parts);
  svg.append(element);
  return element;
};

// What finds the elements of a section by the rest of their id: elements("depth")("scale") is that of "depth-scale"
fastbp.elements = (prefix) => (name) => document.getElementById(`${prefix}-${name}`);

// a row of a table: its head, then a cell per text (a number, as a rule) or element
fastbp.row = (head, cells, attributes = {}) => fastbp.html("tr", attributes,
  fastbp.html("th", { scope: "row", class: "text" }, head),
  ...cells.map((cell) => fastbp.html("td", { class: typeof cell === "string" ? "number" : "text" }, cell)));

// Show other rows in the body of a table. Its cells stay, only what is in them changes: a click on one that is replaced
// between press and release would be lost.
fastbp.refill = (body, rows) => rows.forEach((row, k) => {
  const shown = body.rows[k];
  if (!shown) {
    body.append(row);
    return;
  }
  shown.className = row.className;
  [...shown.cells].forEach((cell, i) => cell.replaceChildren(...row.cells[i].childNodes));
});

// Say something where a screen reader hears it. What is there already is not written again: it would be read again.
fastbp.say = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// a bar that is full at a share of 1, and the share beside it; it is empty if the share is not known
fastbp.bar = (share, width = 56) => fastbp.html("span", { class: "share" },
  fastbp.svg(
    "svg", { width, height: 10, viewBox: `0 0 ${width} 10`, preserveAspectRatio: "none", "aria-hidden": "true" },
    fastbp.svg("rect", { class: "track", width, height: 10 }),
    fastbp.svg("rect", { class: "blue", width: (width * (share || 0)).toFixed(2), height: 10 }),
  ),
  fastbp.percent(share));
