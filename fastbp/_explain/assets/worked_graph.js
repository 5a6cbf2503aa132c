// The graph of the worked example: inputs 1 to 3, hidden units 4 and 5, output 6, and a label per weight.
{
  const AT = { 1: [22, 55], 2: [22, 180], 3: [22, 305], 4: [200, 110], 5: [200, 250], 6: [330, 180] };
  const R = 26;
  const LABELS = { 4: [200, 153], 5: [200, 217], 6: [330, 223] };  // where the output of a unit is written
  const BIASES = { b4: [200, 40], b5: [200, 320], b6: [330, 107] };

  const placeOf = ({ name, source, target }) => {
    if (source === null) return BIASES[name];
    const part = target === 6 ? 0.5 : 0.31;
    return AT[source].map((from, axis) => from + part * (AT[target][axis] - from));
  };
  const line = ([x, y], [x2, y2]) => `M${x} ${y}L${x2} ${y2}`;
  // the part of a unit's disc below a level: 0 is empty, 1 is full
  const level = ([x, y], share) => {
    if (!(share > 0)) return "M0 0";
    const height = R * (1 - 2 * Math.min(share, 0.9999)), half = Math.sqrt(Math.max(0, R * R - height * height));
    return `M${x - half} ${y + height}A${R} ${R} 0 ${share > 0.5 ? 1 : 0} 0 ${x + half} ${y + height}Z`;
  };

  const drawEdge = (put, weight) => {
    const d = line(weight.source === null ? placeOf(weight) : AT[weight.source], AT[weight.target]);
    return { halo: put("path", { class: "halo", d }), edge: put("path", { class: "edge", d }) };
  };
  // an input; returns the text of its number
  const drawInput = (put, unit) => {
    const [cx, cy] = AT[unit];
    put("circle", { class: "unit", cx, cy, r: 16 });
    put("text", { x: cx, y: cy + 5 }, `x${unit}`);
    return put("text", { x: cx, y: cy + 32 });
  };
  const drawUnit = (put, unit) => {
    const [x, y] = AT[unit];
    put("circle", { class: "unit", cx: x, cy: y, r: R });
    const filled = put("path", { class: "level" });
    put("circle", { class: "rim", cx: x, cy: y, r: R });
    put("text", { class: "name", x, y: y - 1 }, `${unit}`);
    const percent = put("text", { x, y: y + 14 });
    const value = put("text", { class: "value", x: LABELS[unit][0], y: LABELS[unit][1] });
    return { unit, filled, percent, value };
  };
  // the label of a weight, which is a button
  const drawChip = (put, weight) => {
    const [x, y] = placeOf(weight);
    const value = fastbp.svg("text", { x, y: y + 12 });
    const chip = put("g", { class: "chip", role: "button", tabindex: 0 },
      fastbp.svg("rect", { x: x - 26, y: y - 17, width: 52, height: 34, rx: 6 }),
      fastbp.svg("text", { class: "name", x, y: y - 3 }, weight.name), value);
    return { chip, value };
  };
  const listen = ({ chip, halo, edge }, choose) => {
    for (const element of [chip, halo, edge]) element.addEventListener("click", choose);
    chip.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    });
  };

  // Draw the graph of weights { name, source, target } in an svg element; `choose(k)` is called if the reader chooses
  // weight k. Returns what shows the state of the network: `chosen` is the index of a weight, `shares` and `outputs`
  // have a number per unit.
  fastbp.workedGraph = (svg, weights, choose) => {
    const put = fastbp.putting(svg);
    const edges = weights.map((weight) => drawEdge(put, weight));
    put("path", { class: "edge", d: line(AT[6], [368, 180]), "stroke-width": 1.5 });
    const inputs = [1, 2, 3].map((unit) => drawInput(put, unit));
    const units = [4, 5, 6].map((unit) => drawUnit(put, unit));
    put("text", { class: "name", x: 379, y: 178 }, "J");
    const J = put("text", { class: "value", x: 379, y: 196 });
    const drawn = weights.map((weight, k) => ({ ...edges[k], ...drawChip(put, weight) }));
    drawn.forEach((each, k) => listen(each, () => choose(k)));

    const showWeight = (k, w, chosen) => {
      const { name } = weights[k], { target } = weights[chosen], { halo, edge, chip, value } = drawn[k];
      const onTheWay = k === chosen || (target !== 6 && name === `w${target}6`);
      for (const element of [halo, chip]) element.classList.toggle("way", onTheWay);
      edge.setAttribute("class", `edge ${w < 0 ? "negative" : "positive"}`);
      edge.setAttribute("stroke-width", Math.min(0.8 + 1.5 * Math.abs(w), 10).toFixed(2));
      chip.setAttribute("aria-pressed", k === chosen);
      chip.setAttribute("aria-label", `${name} = ${fastbp.number(w, 3)}`);
      value.textContent = fastbp.fixed(w, 2);
    };
    return ({ parameters, x, outputs, shares, loss, chosen }) => {
      parameters.forEach((w, k) => showWeight(k, w, chosen));
      inputs.forEach((text, i) => { text.textContent = `${x[i]}`; });
      units.forEach(({ unit, filled, percent, value }, k) => {
        filled.setAttribute("d", level(AT[unit], shares[k]));
        percent.textContent = fastbp.percent(shares[k], 0);
        value.textContent = `${unit === 6 ? "h" : `y${unit}`} ${fastbp.fixed(outputs[k], 2)}`;
      });
      J.textContent = fastbp.fixed(loss, 3);
    };
  };
}
