(() => {
  "use strict";
  const list = document.getElementById("list");
  if (!list) return;
  const queries = [...list.children];
  const control = (name) => document.getElementById(name);
  const [search, filter, sort, shown] = ["search", "filter", "sort", "shown"].map(control);
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = new Map(queries.map((query) => [query, plain(query.textContent)]));
  const passes = {
    all: () => true,
    newcomers: (query) => query.dataset.newcomers !== "0",
    top: (query) => query.dataset.top === "1",
  };
  const orders = {
    change: (one, other) => other.dataset.change - one.dataset.change,
    weight: (one, other) => other.dataset.weight - one.dataset.weight,
  };

  function choose() {
    const words = plain(search.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const query of queries) {
      const fits = passes[filter.value](query) && words.every((word) => texts.get(query).includes(word));
      query.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${queries.length} queries shown`;
  }

  function order() {
    // Array.prototype.sort is stable: of equal ones the more changed stay first.
    list.append(...queries.sort(orders.change).sort(orders[sort.value]));
  }

  function mark(event) {
    const hit = event.target.closest?.("#list li");
    for (const marked of list.querySelectorAll("li.marked")) marked.classList.remove("marked");
    if (!hit || event.type === "pointerleave") return;
    for (const other of hit.closest(".pages").querySelectorAll("li")) {
      other.classList.toggle("marked", other.dataset.hit === hit.dataset.hit);
    }
  }

  search.addEventListener("input", choose);
  filter.addEventListener("change", choose);
  sort.addEventListener("change", order);
  for (const [name, open] of [["open", true], ["close", false]]) {
    control(name).addEventListener("click", () => {
      for (const query of queries) if (!query.hidden) query.open = open;
    });
  }
  for (const type of ["pointerover", "pointerleave"]) list.addEventListener(type, mark);
  control("controls").hidden = false;
  // A reload may keep what stood in the fields.
  choose();
  order();
})();
