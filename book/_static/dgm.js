// Small repairs that no configuration makes. Loaded with `defer`, needs nothing else on the page.
(() => {
  // Whatever scrolls sideways must be reachable from the keyboard, and must say what it is.
  const scrolls = () => {
    const found = [];                    // all is measured before anything is changed: the page is laid out once
    for (const [selector, name] of [
      [".katex-display", "formula"],
      ["div.highlight pre", "code"],
      ["div.output pre, div.output", "output"],
      [".pst-scrollable-table-container, .table-wrapper", "table"],
    ]) {
      for (const box of document.querySelectorAll(selector)) {
        const wide = box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX);
        found.push([box, name, wide]);
      }
    }
    for (const [box, name, wide] of found) {
      const formula = name === "formula", reach = wide && !box.closest("label, legend");   // not between two answers
      if (reach && (formula || !box.hasAttribute("tabindex"))) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", `${name}, scrolls sideways`);
        box.dataset.scrolls = "";
      } else if (!reach && "scrolls" in box.dataset) {
        for (const attribute of ["tabindex", "role", "aria-label", "data-scrolls"]) box.removeAttribute(attribute);
      }
      if (formula && !reach) box.tabIndex = -1;      // a browser makes a stop for Tab of what could scroll, were it wider
    }
  };
  // A link to something folded away opens what folds it.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let box = target; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
    if (target) target.scrollIntoView();
  };
  // Each folded solution's button says whose it is.
  const name = () => {
    for (const button of document.querySelectorAll(".admonition > .admonition-title > .toggle-button")) {
      const title = button.parentElement.innerText.trim();
      if (title) button.setAttribute("aria-label", `Show or hide: ${title}`);
    }
  };
  // Paper is white, whatever the screen was, and cannot be unfolded.
  const page = document.documentElement;
  let screenTheme = null, unfolded = [];
  addEventListener("beforeprint", () => {
    screenTheme = page.dataset.theme;
    page.dataset.theme = "light";
    unfolded = [...document.querySelectorAll("article details:not([open])")];
    for (const fold of unfolded) fold.open = true;
  });
  addEventListener("afterprint", () => {
    if (screenTheme) page.dataset.theme = screenTheme;
    for (const fold of unfolded) fold.open = false;
    unfolded = [];
  });
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(scrolls, 150);
  });
  addEventListener("hashchange", unfold);
  addEventListener("load", () => {
    name();
    if (location.hash) unfold();
    document.fonts.ready.then(scrolls);                    // formulas are as wide as their fonts make them
  });
})();
