// What is drawn on a canvas as wide as its element, in the colours of the page.

const DARK = matchMedia("(prefers-color-scheme: dark)");

/** Calls its `paint(width)` once it is in the page, and when its width or the page's colours (`hue`) change. */
export class Drawn extends HTMLElement {
  connectedCallback() {
    this.size ??= new ResizeObserver(() => this.clientWidth !== this.painted && this.repaint());
    this.theme ??= new MutationObserver(() => this.repaint());
    this.turned ??= () => this.repaint();
    this.size.observe(this);
    this.theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    DARK.addEventListener("change", this.turned);
    this.repaint();
  }

  disconnectedCallback() {
    this.size.disconnect();
    this.theme.disconnect();
    DARK.removeEventListener("change", this.turned);
  }

  repaint() {
    this.painted = this.clientWidth;
    if (!this.painted) return;
    this.hue = colours(this, this.constructor.hues);
    this.paint(this.painted);
  }
}

/** Colours of the page as a canvas understands them: what `light-dark()` makes of them at the moment. */
function colours(near, names) {
  const probe = near.appendChild(document.createElement("span"));
  probe.hidden = true;
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
