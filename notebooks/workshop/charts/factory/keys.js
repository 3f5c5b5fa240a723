// The walk's slider and buttons by keyboard, and their state for assistive technology: Plotly draws them for the pointer alone.
// Runs below a figure's sentence, in a notebook that is trusted; the figure stands in the next output, and may come later.
(script => {
  const press = (target, type, x, y) =>
    target.dispatchEvent(new MouseEvent(type, {bubbles: true, cancelable: true, view: window, clientX: x, clientY: y}));
  const middle = part => {
    const box = part.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };

  const reach = (element, role, name) => {
    const given = {tabindex: 0, role, "aria-label": name, "data-lm-suppress-shortcuts": "true"};  // else the arrows move cells
    for (const [key, value] of Object.entries(given)) element.setAttribute(key, value);
  };

  const slider = (plot, group) => {
    const stops = plot.layout.meta.words.split("\n");
    const now = () => plot._fullLayout.sliders[0].active;
    const tell = () => {
      group.setAttribute("aria-valuenow", now() + 1);
      group.setAttribute("aria-valuetext", stops[now()]);
    };
    const go = stop => {
      const ticks = group.querySelectorAll(".slider-tick-rect");
      const [x] = middle(ticks[Math.min(Math.max(stop, 0), stops.length - 1)]);
      const rail = group.querySelector(".slider-rail-touch-rect");
      press(rail, "mousedown", x, middle(rail)[1]);
      press(plot, "mouseup", x, middle(rail)[1]);
      tell();
    };
    reach(group, "slider", "Walk along the lines of the Dockerfile");
    group.setAttribute("aria-valuemin", 1);
    group.setAttribute("aria-valuemax", stops.length);
    tell();
    const keys = {
      ArrowRight: () => now() + 1, ArrowUp: () => now() + 1, ArrowLeft: () => now() - 1, ArrowDown: () => now() - 1,
      Home: () => 0, End: () => stops.length - 1,
    };
    group.addEventListener("keydown", event => {
      if (!keys[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      go(keys[event.key]());
    });
    for (const news of ["plotly_sliderchange", "plotly_animatingframe", "plotly_animated"]) plot.on(news, () => setTimeout(tell));
  };

  const button = element => {
    reach(element, "button", element.textContent);
    element.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      press(element, "click", ...middle(element));
    });
  };

  const look = () => {
    const plot = area.querySelector(".js-plotly-plot");
    if (!plot || !plot._fullLayout || !plot.layout.meta) return;
    for (const group of plot.querySelectorAll(".slider-group:not([tabindex])")) slider(plot, group);
    for (const element of plot.querySelectorAll(".updatemenu-button:not([tabindex])")) button(element);
  };
  const area = script && script.closest(".jp-OutputArea, .output, .jp-Cell-outputArea");
  if (!area) return;
  look();
  new MutationObserver(look).observe(area, {childList: true, subtree: true});
})(document.currentScript);
