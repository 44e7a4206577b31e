// The pages work without this. It lets the clocks tick, and keeps a page that a
// logout has ended from coming back with the back button.

addEventListener("pageshow", (event) => {
	if (event.persisted) location.reload();
});

const two = (n) => String(n).padStart(2, "0");

// The same text as the server's clock function.
function clock(seconds) {
	const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60, s = seconds % 60;
	return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

for (const card of document.querySelectorAll("[data-clock]")) {
	// Counted from what the server said was left: this device's clock may be wrong.
	const end = performance.now() + Number(card.dataset.left) * 1000;
	const time = card.querySelector("[data-time]");
	const bar = card.querySelector("progress");
	const note = card.querySelector("[data-over]");
	const timer = setInterval(tick, 1000);
	function tick() {
		const left = Math.max(0, Math.round((end - performance.now()) / 1000));
		time.textContent = clock(left);
		bar.value = left;
		if (left > 0) return;
		note.textContent = note.dataset.over;
		clearInterval(timer);
	}
}
