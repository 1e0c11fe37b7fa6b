// Ways into the book: the map lights up the way to a goal. Loaded with `defer`, needs nothing else on the page.
(() => {
  for (const box of document.querySelectorAll(".dgm-map")) {
    const chooser = box.querySelector(".dgm-map-chooser");
    const says = box.querySelector(".dgm-map-says");
    const select = box.querySelector("select");
    const parts = box.querySelectorAll("[data-chapter], [data-from]");
    const light = () => {
      const path = new Set(select.value.split(" ").filter(Boolean));
      box.toggleAttribute("data-lit", path.size > 0);
      for (const part of parts) {
        const { chapter, from, to } = part.dataset;
        part.toggleAttribute("data-on", chapter ? path.has(chapter) : path.has(from) && path.has(to));
      }
      says.textContent = select.selectedOptions[0].dataset.says;
    };
    chooser.hidden = false;
    select.addEventListener("change", light);
    light(); // a browser that goes back keeps what was chosen
  }
})();

// What a term means, beside the term: for the mouse and the keyboard. Without this script the browser shows the title.
(() => {
  const terms = document.querySelectorAll("a.dgm-term[title]");
  if (!terms.length) return;
  const tip = document.createElement("div");
  tip.id = "dgm-tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  let shown = null;
  let waiting;
  const hide = () => {
    if (shown) shown.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  };
  const later = (what) => {
    clearTimeout(waiting);
    waiting = setTimeout(what, 150);
  };
  const show = (term) => {
    clearTimeout(waiting);
    hide();
    shown = term;
    tip.textContent = term.dataset.means;
    tip.hidden = false;
    term.setAttribute("aria-describedby", tip.id);
    const at = term.getClientRects()[0];
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    const above = at.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(8, Math.min(at.left, room)) + scrollX}px`;
    tip.style.top = `${(above > 60 ? above : at.bottom + 6) + scrollY}px`;
  };
  for (const term of terms) {
    term.dataset.means = term.title;
    term.removeAttribute("title");
    term.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && later(() => show(term)));
    term.addEventListener("focus", () => term.matches(":focus-visible") && show(term));
    term.addEventListener("pointerleave", () => later(hide));
    term.addEventListener("blur", hide);
  }
  tip.addEventListener("pointerenter", () => clearTimeout(waiting));
  tip.addEventListener("pointerleave", () => later(hide));
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
})();
