"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip");
  const show = (number, digits = 3) => number === null || number === undefined ? "\u2013" : Number(number.toPrecision(digits)).toString().replace("-", "\u2212");

  // Sorting: the button in a head cell sorts its column; numbers by data-sort, text as people order it.
  const rowsOf = (table) => [...table.tBodies[0].rows];
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      const sign = down ? -1 : 1;
      const key = (row) => { const cell = row.cells[column]; return cell.dataset.sort !== undefined ? cell.dataset.sort : cell.textContent; };
      const numeric = rowsOf(table).every((row) => row.cells[column].dataset.sort !== undefined);
      const rows = rowsOf(table);
      rows.sort((one, two) => {
        const a = key(one), b = key(two);
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true }));
      });
      table.tBodies[0].append(...rows);
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    }));
  }

  // Hovering, touching or walking with the arrow keys along a chart of both series shows the values of one week.
  const words = (option, week) => {
    const range = (low, high) => low === null || low === undefined ? "" : ` (${show(low)} to ${show(high)})`;
    const lines = [`${data.weeks[week]}, ${option.option}`, `adapters ${show(option.a[week])}${range(option.lo[week], option.hi[week])}`];
    if (data.survey !== null) lines.push(`${data.survey} ${show(option.s[week])}${range(option.slo[week], option.shi[week])}`);
    return lines.join("\n");
  };
  const place = (x, y) => {
    tip.hidden = false;
    tip.style.left = `${Math.max(4, Math.min(x + 14, window.innerWidth - tip.offsetWidth - 6))}px`;
    tip.style.top = `${Math.max(4, y - tip.offsetHeight - 12)}px`;
  };
  for (const chart of document.querySelectorAll("svg[data-chart]")) {
    const [left, right, top, bottom] = chart.dataset.plot.split(" ").map(Number);
    const last = data.weeks.length - 1;
    const cursor = chart.querySelector(".cursor");
    const option = data.options[Number(chart.dataset.chart)];
    let week = 0;
    const point = (at) => {
      week = Math.max(0, Math.min(last, at));
      const x = last ? left + (right - left) * week / last : left;
      cursor.setAttribute("d", `M${x} ${top}V${bottom}`);
      tip.textContent = words(option, week);
      const box = chart.getBoundingClientRect();
      place(box.left + x * box.width / chart.viewBox.baseVal.width, box.top + 20);
    };
    const leave = () => { cursor.setAttribute("d", ""); tip.hidden = true; };
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = (event.clientX - box.left) * chart.viewBox.baseVal.width / box.width;
      point(Math.round((x - left) / (right - left || 1) * last));
    });
    chart.addEventListener("pointerleave", leave);
    chart.addEventListener("focus", () => { if (chart.matches(":focus-visible")) point(week); });
    chart.addEventListener("blur", leave);
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Escape") leave();
      if (step === undefined) return;
      event.preventDefault();
      point(step === -Infinity ? 0 : step === Infinity ? last : week + step);
    });
  }
})();
