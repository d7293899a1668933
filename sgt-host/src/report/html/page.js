"use strict";
// What the page does beyond its pictures. Everything is on the page already: this hides and shows parts
// of it, and says the values under the pointer or the arrow keys. Text goes in as text, never as markup.
(() => {
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  const one = (selector, from = document) => from.querySelector(selector);

  // ---- choices -----------------------------------------------------------------------------------

  all("form.choices").forEach((form) => {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
  });

  // Which regimes are left out, as rules of a style sheet: one change for every table and picture.
  const regimes = one("#choose-regimes");
  if (regimes) {
    const rules = document.head.appendChild(document.createElement("style"));
    const boxes = all("input", regimes);
    const show = () => {
      const hidden = boxes.filter((box) => !box.checked).map((box) => box.value);
      const of = (place) => `[data-regime="${place}"], [data-other="${place}"]`;
      rules.textContent = hidden.map((place) => `${of(place)} { display: none !important; }`).join("\n");
    };
    regimes.addEventListener("change", show);
    // A browser may keep choices over a reload.
    show();
  }

  const sample = one("#choose-sample");
  if (sample) {
    const method = one("#choose-method");
    const show = () => {
      const chosen = one("input:checked", sample).value;
      const hide = (part, own, wanted) => { part.hidden = wanted !== "all" && own !== wanted; };
      all("[data-sample]").forEach((part) => hide(part, part.dataset.sample, chosen));
      all("[data-method]").forEach((part) => hide(part, part.dataset.method, method.value));
    };
    sample.addEventListener("change", show);
    method.addEventListener("change", show);
    show();
  }

  // ---- values ------------------------------------------------------------------------------------

  const box = one("#values");
  // At a place of the window; it stays inside.
  const say = (lines, x, y) => {
    box.replaceChildren(...lines.map((line) => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    }));
    box.hidden = false;
    const gap = 14;
    const { width, height } = box.getBoundingClientRect();
    const fits = x + gap + width <= document.documentElement.clientWidth;
    const left = fits ? x + gap : Math.max(0, x - gap - width);
    const below = y + gap + height <= document.documentElement.clientHeight;
    box.style.left = `${left}px`;
    box.style.top = `${below ? y + gap : Math.max(0, y - gap - height)}px`;
  };
  const number = (value) => {
    const size = Math.abs(value);
    const text = size !== 0 && (size < 0.001 || size >= 1e5)
      ? value.toExponential(2) : String(Number(value.toPrecision(3)));
    return text.replace(/-/g, "\u2212");
  };

  // A picture that says values: `at(x, y)` in the units of its drawing gives lines and the place of the
  // cursor; `move(dx, dy)` goes on from the place before.
  const listen = (svg, at, move, leave) => {
    const scale = () => {
      const { left, top, width } = svg.getBoundingClientRect();
      return { left, top, by: width / svg.viewBox.baseVal.width };
    };
    const quiet = () => { box.hidden = true; leave(); };
    const tell = (found, x, y) => (found ? say(found.lines, x, y) : quiet());
    svg.addEventListener("pointermove", (event) => {
      const { left, top, by } = scale();
      tell(at((event.clientX - left) / by, (event.clientY - top) / by), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", quiet);
    svg.addEventListener("blur", quiet);
    svg.setAttribute("tabindex", "0");
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        quiet();
        return;
      }
      const step = steps[event.key];
      const found = step && move(...step);
      if (!found) return;
      event.preventDefault();
      const { left, top, by } = scale();
      tell(found, left + found.x * by, top + found.y * by);
    });
  };
  const cursor = (svg, x, bottom, top = 0) => {
    let line = one(".cursor", svg);
    if (!line) {
      line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", "cursor");
      svg.append(line);
    }
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: top, y2: bottom })) {
      line.setAttribute(name, value);
    }
  };
  const uncursor = (svg) => one(".cursor", svg)?.remove();
  const visible = (part) => part.getClientRects().length > 0;

  // Charts: all lines at the place nearest to the pointer.
  all(".chart[data-axis]").forEach((svg) => {
    const points = all(".point", svg);
    if (points.length === 0) return;
    const middle = (point) => {
      const { x, y, width, height } = point.getBBox();
      return { x: x + width / 2, y: y + height / 2 };
    };
    let places = null;
    const prepare = () => {
      if (places) return;
      places = new Map();
      for (const point of points) {
        const { x, y } = middle(point);
        const key = point.dataset.x;
        if (!places.has(key)) places.set(key, { key, x, y, points: [] });
        places.get(key).points.push(point);
      }
      places = Array.from(places.values()).sort((a, b) => a.x - b.x);
    };
    let current = -1;
    const found = (index) => {
      current = index;
      const place = places[index];
      const shown = place.points.filter(visible);
      cursor(svg, place.x, 210, 30);
      const lines = shown.map((point) => one("title", point).textContent);
      return { lines: [`${svg.dataset.axis}: ${place.key}`, ...lines], x: place.x, y: place.y };
    };
    const at = (x) => {
      prepare();
      const distances = places.map((place) => Math.abs(place.x - x));
      return found(distances.indexOf(Math.min(...distances)));
    };
    const move = (dx) => {
      prepare();
      return dx === 0 ? null : found(Math.min(places.length - 1, Math.max(0, current + dx)));
    };
    listen(svg, at, move, () => { uncursor(svg); });
  });

  // Samples and maps: the value and the saliency of one step, pixel or token.
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  all("[data-sample]").forEach((article) => {
    const { kind, rate } = article.dataset;
    const [rows, columns] = [Number(article.dataset.rows), Number(article.dataset.columns)];
    const cells = all(".cell", article);
    if (article.dataset.values === undefined) return;
    const names = JSON.parse(article.dataset.names);
    const units = JSON.parse(article.dataset.units);
    // What is large is read when it is first asked for.
    const kept = new Map();
    const decoded = (key, read) => kept.get(key) ?? kept.set(key, read()).get(key);
    const values = () => decoded(article, () => new Float32Array(bytes(article.dataset.values).buffer));
    const place = (row, column) => {
      if (kind === "series") {
        const time = rate ? `${number(column / Number(rate))} s` : `step ${column + 1}`;
        return `${names[row]} at ${time}`;
      }
      if (kind === "image") return `row ${row + 1}, column ${column + 1}`;
      return names[column] ?? `token ${column + 1}`;
    };
    let last = [0, 0];
    cells.forEach((svg) => {
      const [left, bottom] = [Number(svg.dataset.left), Number(svg.dataset.bottom)];
      const width = svg.viewBox.baseVal.width - left;
      const saliency = () => decoded(svg, () => new Int8Array(bytes(svg.dataset.saliency).buffer));
      const found = (row, column) => {
        last = [row, column];
        const index = row * columns + column;
        const lines = [place(row, column)];
        if (index < values().length) {
          lines.push(`value ${number(values()[index])} ${units[row] ?? ""}`.trim());
        }
        if (svg.dataset.saliency !== undefined) {
          const share = Math.round((100 * saliency()[index]) / 127);
          const signed = `${share > 0 ? "+" : ""}${share}`.replace("-", "\u2212");
          lines.push(`saliency ${signed} % of the strongest`);
        }
        const share = (column + 0.5) / columns;
        // The same moment in every picture of the sample.
        cells.filter(visible).forEach((other) => {
          const start = Number(other.dataset.left);
          const length = other.viewBox.baseVal.width - start;
          if (kind === "series") cursor(other, start + share * length, Number(other.dataset.bottom));
        });
        return { lines, x: left + share * width, y: ((row + 0.5) / rows) * bottom };
      };
      const inside = (value, most) => Math.min(most - 1, Math.max(0, value));
      const at = (x, y) => {
        if (x < left || y < 0 || y > bottom) return null;
        const [row, column] = [Math.floor((y / bottom) * rows), Math.floor(((x - left) / width) * columns)];
        return found(inside(row, rows), inside(column, columns));
      };
      const move = (dx, dy) => found(inside(last[0] + dy, rows), inside(last[1] + dx, columns));
      listen(svg, at, move, () => { cells.forEach(uncursor); });
    });
  });

  // For whoever waits for the script.
  document.body.dataset.script = "ready";
})();
