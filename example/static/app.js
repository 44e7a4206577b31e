// The pages work without this. It lets the clocks tick and the list of requests
// go on, and keeps a page that a logout has ended from coming back with the back
// button.

addEventListener("pageshow", (event) => {
	if (event.persisted) location.reload();
});

const two = (n) => String(n).padStart(2, "0");

// The same text as the server's clock function.
function clock(seconds) {
	const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60, s = seconds % 60;
	return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

const clocks = [...document.querySelectorAll("[data-clock]")].map((card) => {
	// Counted from what the server said was left: this device's clock may be wrong.
	const end = performance.now() + Number(card.dataset.left) * 1000;
	const note = card.querySelector("[data-over]");
	const timer = setInterval(tick, 1000);
	function tick() {
		const left = Math.max(0, Math.round((end - performance.now()) / 1000));
		show(left);
		if (left === 0) stop(note.dataset.over);
	}
	function show(left) {
		card.querySelector("[data-time]").textContent = clock(left);
		card.querySelector("progress").value = left;
	}
	function stop(why) {
		clearInterval(timer);
		show(0);
		note.textContent = why;
	}
	// over is for a session that has ended before its time.
	function over() {
		stop("The session is over.");
		card.querySelector("[data-until]").remove();
	}
	return { over };
});

// The same text as the server's ago function.
function ago(seconds) {
	if (seconds < 10) return "just now";
	for (const [size, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]) {
		const n = Math.floor(seconds / size);
		if (n > 0) return `${n} ${unit}${n === 1 ? "" : "s"} ago`;
	}
}

// follow shows the session's requests as they happen, while the page is in
// sight. A hidden page lets go of its connection, so that others get one.
function follow(section) {
	const find = (name) => section.querySelector(name);
	const table = find("table"), rows = find("tbody"), notice = document.querySelector("[data-notice]"), note = find(".following");
	const most = 8; // as the server shows
	const began = performance.now();
	let address = section.dataset.live, source = null, over = false;

	for (const time of rows.querySelectorAll("time")) time.since = began - Number(time.dataset.age) * 1000;
	setInterval(() => {
		for (const time of rows.querySelectorAll("time")) time.textContent = ago((performance.now() - time.since) / 1000);
	}, 5000);

	function add(request) {
		const row = find("[data-row]").content.cloneNode(true);
		const time = row.querySelector("time"), cost = row.querySelector(".tag"), n = request.statements;
		row.querySelector("code").textContent = `${request.method} ${request.path}`;
		time.dateTime = request.at;
		time.title = new Date(request.at).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
		time.since = performance.now();
		time.textContent = ago(0);
		cost.textContent = n === 1 ? "1 statement" : `${n} statements`;
		cost.classList.toggle("good", n === 0);
		rows.prepend(row);
		while (rows.children.length > most) rows.lastElementChild.remove();
		table.hidden = false;
		find(".empty")?.remove();
	}

	function say(what) {
		note.hidden = true;
		notice.replaceChildren(find(`[data-${what}]`).content.cloneNode(true));
	}

	function open() {
		source = new EventSource(address);
		source.addEventListener("open", () => {
			notice.replaceChildren();
			note.hidden = false;
		});
		source.addEventListener("message", (event) => {
			address = `/live?after=${event.lastEventId}`; // where to go on after a pause
			add(JSON.parse(event.data));
		});
		source.addEventListener("ended", () => {
			over = true;
			close();
			for (const clock of clocks) clock.over();
			say("ended");
		});
		source.addEventListener("error", () => {
			// A connection that broke is made again by the browser. One that was
			// refused is not: the session may be over, or other tabs have all the
			// streams there are. Coming back to this tab tries once more.
			if (source?.readyState !== EventSource.CLOSED) return;
			close();
			say("stopped");
		});
	}

	function close() {
		source?.close();
		source = null;
	}

	function look() {
		if (over || document.hidden) close();
		else if (!source) open();
	}
	document.addEventListener("visibilitychange", look);
	addEventListener("pagehide", close);
	look();
}

const list = document.querySelector("[data-live]");
if (list) follow(list);
