(() => {
  "use strict";
  const list = document.getElementById("list");
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const queries = [...list.children];
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = new Map(queries.map((query) => [query, plain(query.textContent)]));

  function choose() {
    const words = plain(search.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const query of queries) {
      const fits = words.every((word) => texts.get(query).includes(word));
      query.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${queries.length} queries shown`;
  }

  search.addEventListener("input", choose);
  for (const [name, open] of [["open", true], ["close", false]]) {
    document.getElementById(name).addEventListener("click", () => {
      for (const query of queries) if (!query.hidden) query.open = open;
    });
  }
  document.getElementById("controls").hidden = false;
  // A reload may keep what stood in the field.
  choose();
})();
