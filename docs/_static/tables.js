// Columns of numbers to the right, words to the left; and what scrolls sideways can be reached with the keyboard.
const NUMBER = /^[-−+±]?[\d,]*\.?[\d½]+(e[-+]?\d+)?( ?%)?( to [-−+]?[\d,]*\.?\d+)?$/;
const NOTHING = /^(–|nan|NaN|None|)$/;

function alignColumns(table) {
  const body = [...table.tBodies].flatMap((part) => [...part.rows]);
  if (table.querySelector("tbody [rowspan]:not([rowspan='1']), tbody [colspan]:not([colspan='1'])")) return;
  for (let column = 0; column < (body[0]?.cells.length ?? 0); column++) {
    const texts = body.map((row) => row.cells[column]?.textContent.trim() ?? "");
    const numeric = texts.some((text) => NUMBER.test(text)) && texts.every((text) => NUMBER.test(text) || NOTHING.test(text));
    if (!numeric) continue;
    for (const row of table.rows) {
      const spanned = [...row.cells].some((cell) => cell.colSpan > 1);
      if (!spanned) row.cells[column]?.classList.add("number");
    }
  }
}

function makeReachable() {
  const boxes = ".bd-article :is(pre, .output, .equation, .pst-scrollable-table-container)";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
    } else {
      box.removeAttribute("tabindex");
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".bd-article table").forEach(alignColumns);
  makeReachable();
  window.addEventListener("resize", makeReachable);
  document.addEventListener("toggle", makeReachable, true); // a folded cell was opened
});
