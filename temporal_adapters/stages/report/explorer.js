// The explorer: one option, any lag, any week. Descriptive only: what was tested stands in the table.
(() => {
  const root = document.getElementById("explorer");
  if (root === null) return;
  const data = JSON.parse(document.getElementById("data").textContent);
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const [pick, view, smooth, lag, week] = ["option", "view", "smooth", "lag", "week"].map(part);
  const chart = part("chart"), said = part("said"), table = part("week-table"), lagOut = part("lag-out"), weekOut = part("week-out");
  const W = 560, H = 240, L = 46, R = 46, T = 12, B = 34;
  const n = data.weeks.length;
  const minus = (text) => text.replace("-", "\u2212");
  const show = (value, digits = 3) => value === null || value === undefined ? "\u2013" : minus(Number(value.toPrecision(digits)).toString());
  const signed = (value) => value > 0 ? `+${value}` : minus(String(value));
  const svg = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const cell = (tag, text, number) => {
    const node = document.createElement(tag);
    node.textContent = text;
    if (number) node.className = "number";
    return node;
  };
  const mean3 = (values) => values.map((value, i) => {
    if (value === null) return null;
    const near = values.slice(Math.max(0, i - 1), i + 2).filter((one) => one !== null);
    return near.reduce((a, b) => a + b, 0) / near.length;
  });
  // The survey moved so that its value of week i + lag stands at week i.
  const shift = (values, by) => values.map((_, i) => i + by >= 0 && i + by < n ? values[i + by] : null);
  const pairs = (a, b) => a.map((value, i) => [value, b[i]]).filter(([x, y]) => x !== null && y !== null);
  const pearson = (both) => {
    if (both.length < 3) return null;
    const centre = [0, 1].map((k) => both.reduce((sum, pair) => sum + pair[k], 0) / both.length);
    let xy = 0, xx = 0, yy = 0;
    for (const [x, y] of both) {
      const dx = x - centre[0], dy = y - centre[1];
      xy += dx * dy; xx += dx * dx; yy += dy * dy;
    }
    return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : null;
  };
  const reference = (values, kind) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return [0, 1];
    const centre = known.reduce((a, b) => a + b, 0) / known.length;
    const low = Math.min(...known), high = Math.max(...known);
    if (kind !== "z") return high > low ? [low, high - low] : [low, 1];
    const spread = Math.sqrt(known.reduce((sum, value) => sum + (value - centre) ** 2, 0) / Math.max(known.length - 1, 1));
    return [centre, spread > 0 ? spread : 1];
  };
  const path = (values, x, y) => {
    let text = "", open = false;
    values.forEach((value, i) => {
      if (value === null) { open = false; return; }
      text += `${open ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
      open = true;
    });
    return text;
  };
  const draw = (option, at) => {
    const kind = view.value, by = Number(lag.value);
    const series = [option.a, shift(option.s, by)].map((values) => smooth.checked ? mean3(values) : values);
    const refs = series.map((values) => reference(values, kind));
    const lines = series.map((values, k) => values.map((value) => value === null ? null : (value - refs[k][0]) / refs[k][1]));
    const all = lines.flat().filter((value) => value !== null);
    const low = all.length ? Math.min(...all) : 0, high = all.length ? Math.max(...all) : 1;
    const room = (high - low) * 0.08 || 1;
    const x = (i) => n > 1 ? L + (W - L - R) * i / (n - 1) : L;
    const y = (value) => H - B - (H - B - T) * (value - low + room) / (high - low + 2 * room);
    chart.replaceChildren();
    for (let k = 0; k <= 4; k++) {
      const value = low + (high - low) * k / 4;
      chart.append(svg("path", { d: `M${L} ${y(value)}H${W - R}`, class: "grid" }));
      const raw = refs.map(([centre, unit]) => kind === "raw" ? centre + unit * value : value);
      chart.append(svg("text", { x: L - 6, y: y(value) + 4, class: "tick adapters", "text-anchor": "end" }, show(raw[0], 2)));
      if (kind === "raw" && data.survey !== null) {
        chart.append(svg("text", { x: W - R + 6, y: y(value) + 4, class: "tick survey", "text-anchor": "start" }, show(raw[1], 2)));
      }
    }
    const step = Math.max(1, Math.ceil(n / 5));
    for (let i = 0; i < n; i += step) {
      chart.append(svg("text", { x: x(i), y: H - B + 19, class: "tick", "text-anchor": "middle" }, data.weeks[i]));
    }
    chart.append(svg("path", { d: `M${x(at)} ${T}V${H - B}`, class: "cursor" }));
    chart.append(svg("path", { d: path(lines[1], x, y), class: "line survey" }));
    chart.append(svg("path", { d: path(lines[0], x, y), class: "line adapters" }));
    const dots = lines[1].map((value, i) => value === null ? "" : `M${x(i).toFixed(1)} ${y(value).toFixed(1)}h0`).join("");
    chart.append(svg("path", { d: dots, class: "dots survey" }));
  };
  const tell = (option) => {
    if (data.survey === null) return "";
    const by = Number(lag.value);
    const both = pairs(option.a, shift(option.s, by));
    const r = pearson(both);
    const direction = by === 0 ? "same week" : by > 0 ? "the model leads" : "the survey leads";
    const tested = option.tested[String(by)];
    const words = tested === undefined ? "This lag was not tested: what you see is a description." : `Tested: ${tested}.`;
    return `${option.option}, lag ${signed(by)} (${direction}): r = ${r === null ? "\u2013" : minus(r.toFixed(2))} over ${both.length} weeks. ${words}`
      + (smooth.checked ? " The lines are 3-week means, for looking only; r is of the unsmoothed series." : "");
  };
  const fill = (at) => {
    const chosen = data.options[Number(pick.value)];
    const rows = data.options.filter((one) => one.item === chosen.item).map((one) => {
      const row = document.createElement("tr");
      const head = cell("th", one.option);
      head.scope = "row";
      row.append(head, cell("td", show(one.a[at]), true), cell("td", show(one.s[at]), true));
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    const posts = data.posts[at] === null ? "no posts" : `${data.posts[at]} posts by ${data.users[at]} users`;
    table.caption.textContent = `${data.weeks[at]}: ${posts}`;
  };
  const update = () => {
    const option = data.options[Number(pick.value)], at = Number(week.value);
    lagOut.textContent = signed(Number(lag.value));
    weekOut.textContent = data.weeks[at];
    draw(option, at);
    said.textContent = tell(option);
    fill(at);
  };
  for (const control of [pick, view, smooth, lag, week]) control.addEventListener("input", update);
  root.hidden = false;
  update();
})();
