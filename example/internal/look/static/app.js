// The pages work without this script. It counts the cookie times down, shows times in
// the browser's time zone, and reloads a page that the back button brings from memory:
// its session may be over.

addEventListener("pageshow", (event) => {
	if (event.persisted) location.reload();
});

for (const time of document.querySelectorAll("time")) {
	time.textContent = new Date(time.dateTime).toLocaleString();
}

const clocks = document.querySelector("[data-now]");
if (clocks) {
	// The server's time, because the clock of this device may be wrong.
	const offset = Number(clocks.dataset.now) - performance.now();
	const show = () => {
		for (const clock of clocks.querySelectorAll("[data-end]")) {
			const left = Math.max(0, Math.round((Number(clock.dataset.end) - offset - performance.now()) / 1000));
			const two = (n) => String(Math.floor(n) % 60).padStart(2, "0");
			clock.textContent = left ? `${Math.floor(left / 3600)}:${two(left / 60)}:${two(left)}` : "expired";
		}
	};
	show();
	setInterval(show, 1000);
}
