// Small repairs that no configuration makes. Loaded with `defer`, needs nothing else on the page.
(() => {
  // Whatever scrolls sideways must be reachable from the keyboard, and must say what it is.
  const hints = box => {                               // which side has more to see: the style fades it out there
    const left = box.scrollLeft > 1, right = box.scrollLeft + box.clientWidth < box.scrollWidth - 1;
    box.dataset.more = left && right ? "both" : left ? "left" : right ? "right" : "";
  };
  // Words in a figure are never smaller than 9 px: a narrow page makes the figure scroll instead.
  const readable = () => {
    const least = [];
    for (const figure of document.querySelectorAll(".dgm-figure, .dgm-map-field")) {
      for (const svg of figure.querySelectorAll("svg[viewBox]")) {
        const sizes = [...svg.querySelectorAll("text, tspan")].map(text => {
          const shown = text.getScreenCTM();
          return parseFloat(getComputedStyle(text).fontSize) * (shown ? Math.hypot(shown.a, shown.b) : 0);
        }).filter(size => size > 0);
        const width = svg.getBoundingClientRect().width, smallest = Math.min(...sizes);
        if (width && smallest < 9) least.push([figure, svg.getAttribute("viewBox"), Math.ceil(width * 9 / smallest)]);
      }
    }
    for (const [figure, box, width] of least) {        // frames that are hidden are as large as the one that is shown
      for (const svg of figure.querySelectorAll("svg[viewBox]")) {
        if (svg.getAttribute("viewBox") !== box) continue;
        svg.style.minWidth = `${width}px`;
        svg.parentElement.classList.add("dgm-wide");
      }
    }
  };
  const scrolls = () => {
    readable();
    const found = [];                    // all is measured before anything is changed: the page is laid out once
    for (const [selector, name] of [
      [".katex-display", "formula"],
      ["div.highlight pre", "code"],
      ["div.output pre, div.output", "output"],
      [".pst-scrollable-table-container, .table-wrapper", "table"],
      [".dgm-wide", "figure"],
    ]) {
      for (const box of document.querySelectorAll(selector)) {
        const wide = box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX);
        found.push([box, name, wide]);
      }
    }
    for (const [box, name, wide] of found) {
      if (wide) {
        if (!("more" in box.dataset)) box.addEventListener("scroll", () => hints(box), {passive: true});
        hints(box);
      } else delete box.dataset.more;
      const formula = name === "formula", reach = wide && !box.closest("label, legend");   // not between two answers
      if (reach && (formula || !box.hasAttribute("tabindex"))) {
        box.tabIndex = 0;
        box.dataset.scrolls = "";
        if (box.hasAttribute("role")) continue;                               // a picture has its name already
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", `${name}, scrolls sideways`);
      } else if (!reach && "scrolls" in box.dataset) {
        const named = box.getAttribute("role") === "group" ? ["role", "aria-label"] : [];
        for (const attribute of ["tabindex", "data-scrolls", ...named]) box.removeAttribute(attribute);
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
