// Lists what is wrong with the page for somebody who cannot see it well, uses no
// mouse, or holds a small device.
(() => {
	const problems = [];
	const say = (problem, e) => problems.push(problem + (e ? ": " + e.outerHTML.slice(0, 100) : ""));
	const shown = (e) => {
		const box = e.getBoundingClientRect();
		return e.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1;
	};

	// What the page is.
	if (!document.documentElement.lang) say("no language");
	if (!document.title.trim()) say("no title");
	if (!/width=device-width/.test(document.querySelector("meta[name=viewport]")?.content)) say("no viewport");
	if (document.querySelectorAll("h1").length != 1) say("not one h1");
	if (document.querySelectorAll("main").length != 1) say("not one main");
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	if (new Set(ids).size != ids.length) say("an id is there twice");

	// What things are called.
	for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
		if (e.ariaHidden == "true" && e.tabIndex < 0) continue; // for password managers only
		if (![...e.labels].some((l) => l.innerText.trim()) && !e.ariaLabel) say("no label", e);
	}
	for (const e of document.querySelectorAll("a[href], button")) {
		const text = shown(e) ? e.innerText : e.textContent; // inside a fold
		if (!text.trim() && !e.ariaLabel) say("no name", e);
	}
	for (const e of document.querySelectorAll("img:not([alt])")) say("no alternative", e);
	for (const name of ["aria-describedby", "aria-labelledby"]) {
		for (const e of document.querySelectorAll(`[${name}]`)) {
			for (const id of e.getAttribute(name).split(/\s+/)) if (!document.getElementById(id)) say(`${name} names nothing`, e);
		}
	}

	// What fits.
	const root = document.documentElement;
	if (root.scrollWidth > innerWidth) say(`it is ${root.scrollWidth} pixels wide`);
	for (const e of document.querySelectorAll("button, .button, nav a, input:not([type=hidden])")) {
		const box = e.getBoundingClientRect();
		if (shown(e) && (box.width < 24 || box.height < 24) && !e.closest("label")) say("smaller than 24 pixels", e);
		if (shown(e) && box.right > innerWidth) say("sticks out", e);
	}

	// What can be read: WCAG 2.2, 1.4.3.
	const parse = (text) => {
		const n = text.match(/[\d.]+%?/g)?.map((v) => (v.endsWith("%") ? parseFloat(v) / 100 : parseFloat(v))) ?? [];
		const scale = text.startsWith("color(srgb") ? 255 : 1;
		return { rgb: n.slice(0, 3).map((v) => v * scale), alpha: n[3] ?? 1 };
	};
	const over = (top, below) => top.rgb.map((v, i) => v * top.alpha + below[i] * (1 - top.alpha));
	const ground = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) {
			const layer = parse(getComputedStyle(e).backgroundColor);
			layers.push(layer);
			if (layer.alpha == 1) break;
		}
		const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
		return layers.reduceRight((below, layer) => over(layer, below), canvas);
	};
	const light = (rgb) => {
		const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const check = (e, style, what) => {
		const below = ground(e);
		const [dim, bright] = [light(over(parse(style.color), below)), light(below)].sort((a, b) => a - b);
		const ratio = (bright + 0.05) / (dim + 0.05);
		if (!(ratio >= 4.5)) say(`${what} stands at ${ratio.toFixed(2)}:1`, e);
	};
	const seen = new Set();
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || seen.has(e) || !shown(e)) continue;
		seen.add(e);
		check(e, getComputedStyle(e), "text");
	}
	for (const e of document.querySelectorAll("input:not([type=hidden], [type=checkbox])")) if (shown(e)) check(e, getComputedStyle(e), "text in a field");
	for (const e of document.querySelectorAll("[data-label]")) {
		const before = getComputedStyle(e, "::before");
		if (shown(e) && !["none", "normal"].includes(before.content)) check(e, before, "a label");
	}
	if (seen.size < 3) say("there is next to no text: is this the page?");
	return problems;
})();
