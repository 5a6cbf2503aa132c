// Lists to choose from, and buttons that run something.

// Fill a list with [value, text] pairs, and choose a value.
fastbp.offer = (select, options, value) => {
  select.append(...options.map(([key, text]) => fastbp.html("option", { value: key }, text)));
  select.value = value;
};

// Let a button call `tick(n)` until that returns false, or until the reader presses the button again. n is how many
// steps to take: the longer the run, the more, so that a long one ends within seconds. `begin` is called first, and
// `show` after each tick; after the last one only for readers who want less motion.
// Returns { stop, running }: functions that end the run and tell whether there is one.
fastbp.repeating = (button, { begin = () => {}, tick, show }) => {
  const label = button.textContent;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null, taken = 0;
  const running = () => timer !== null;
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    button.textContent = label;
  };
  const next = () => {
    const n = 1 + Math.floor(taken / 20);
    taken += n;
    const more = tick(n);
    if (more) timer = setTimeout(next, calm.matches ? 0 : 40);
    else stop();
    if (!more || !calm.matches) show();
  };
  button.addEventListener("click", () => {
    if (running()) {
      stop();
      show();
      return;
    }
    begin();
    taken = 0;
    button.textContent = "Stop";
    next();
  });
  return { stop, running };
};
