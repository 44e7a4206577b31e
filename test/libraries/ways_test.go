package libraries

// libraries has the heads of pages that load each library.
var libraries = map[string]string{
	"none":     ``,
	"htmx 2":   `<script src="/files/htmx2/dist/htmx.min.js"></script><script src="/files/htmx-ext-preload/dist/preload.min.js"></script>`,
	"htmx 4":   `<script src="/files/htmx4/dist/htmx.min.js"></script><script src="/files/htmx4/dist/ext/hx-preload.min.js"></script>`,
	"Turbo":    `<script type="module" src="/files/@hotwired/turbo/dist/turbo.es2017-esm.js"></script>`,
	"Unpoly":   `<script src="/files/unpoly/unpoly.min.js"></script>`,
	"Alpine":   `<script defer src="/files/@imacrayon/alpine-ajax/dist/cdn.min.js"></script><script defer src="/files/alpinejs/dist/cdn.min.js"></script>`,
	"Datastar": `<script type="module" src="/files/@starfederation/datastar/dist/datastar.js"></script>`,
}

// way is a way in which a page sends a request to the server when the user clicks on #go.
type way struct {
	name    string // in URLs
	library string
	body    string // of the page, with PATH, and for forms USER
	login   bool   // it is a form, so it can be that of a login

	target  bool // after the login the user sees the link's target; otherwise the page with the link
	nothing bool // an error changes nothing in the page; otherwise it is shown as a page
}

const out = `<p id="out">Nothing yet</p>`

const fields = `<input name="user" value="USER"><button id="go">Go</button></form>`

var ways = []way{
	{name: "link", library: "none", body: `<a id="go" href="PATH">Go</a>` + out, target: true},
	{name: "form", library: "none", body: `<form method="post" action="PATH">` + fields + out, login: true},
	{name: "fetch", library: "none", body: `<button id="go" onclick="load()">Go</button>` + out + `<script>
		async function load() {
			const answer = await fetch('PATH', {headers: {Accept: 'text/html'}})
			document.documentElement.innerHTML = await answer.text()
			history.pushState(null, '', answer.url)
		}
		</script>`, target: true},
	{name: "worker-cache", library: "none", body: `<a id="go" href="PATH">Go</a>` + out, target: true},
	{name: "worker-manual", library: "none", body: `<a id="go" href="PATH">Go</a>` + out, target: true},

	{name: "htmx2-get", library: "htmx 2", body: `<button id="go" hx-get="PATH" hx-target="#out" hx-select="#out" hx-swap="outerHTML">Go</button>` + out, nothing: true},
	{name: "htmx2-post", library: "htmx 2", body: `<form hx-post="PATH" hx-target="#out" hx-select="#out" hx-swap="outerHTML">` + fields + out, login: true, nothing: true},
	{name: "htmx2-boost", library: "htmx 2", body: `<div hx-boost="true"><a id="go" href="PATH">Go</a></div>` + out, target: true, nothing: true},
	{name: "htmx2-boost-form", library: "htmx 2", body: `<form hx-boost="true" method="post" action="PATH">` + fields + out, login: true, nothing: true},
	{name: "htmx2-preload", library: "htmx 2", body: `<div hx-ext="preload"><button id="go" hx-get="PATH" preload="mouseover" hx-target="#out" hx-select="#out" hx-swap="outerHTML">Go</button></div>` + out, nothing: true},

	{name: "htmx4-get", library: "htmx 4", body: `<button id="go" hx-get="PATH" hx-target="#out" hx-select="#out" hx-swap="outerHTML">Go</button>` + out, nothing: true},
	{name: "htmx4-whole", library: "htmx 4", body: `<button id="go" hx-get="PATH" hx-target="#out">Go</button>` + out, nothing: true},
	{name: "htmx4-post", library: "htmx 4", body: `<form hx-post="PATH" hx-target="#out" hx-select="#out" hx-swap="outerHTML">` + fields + out, login: true, nothing: true},
	{name: "htmx4-boost", library: "htmx 4", body: `<a id="go" hx-boost="true" href="PATH">Go</a>` + out, target: true, nothing: true},
	{name: "htmx4-boost-form", library: "htmx 4", body: `<form hx-boost="true" method="post" action="PATH">` + fields + out, login: true, nothing: true},
	{name: "htmx4-preload", library: "htmx 4", body: `<button id="go" hx-get="PATH" hx-preload="mouseover" hx-target="#out" hx-select="#out" hx-swap="outerHTML">Go</button>` + out, nothing: true},

	{name: "turbo-link", library: "Turbo", body: `<a id="go" href="PATH">Go</a>` + out, target: true},
	{name: "turbo-form", library: "Turbo", body: `<form method="post" action="PATH">` + fields + out, login: true},
	{name: "turbo-stream", library: "Turbo", body: `<a id="go" href="PATH" data-turbo-stream>Go</a>` + out, target: true},
	{name: "turbo-frame-link", library: "Turbo", body: `<turbo-frame id="frame"><a id="go" href="PATH">Go</a>` + out + `</turbo-frame>`},
	{name: "turbo-frame-form", library: "Turbo", body: `<turbo-frame id="frame"><form method="post" action="PATH">` + fields + out + `</turbo-frame>`, login: true},

	{name: "unpoly-link", library: "Unpoly", body: `<a id="go" href="PATH" up-follow up-target="#out">Go</a>` + out, target: true},
	{name: "unpoly-form", library: "Unpoly", body: `<form method="post" action="PATH" up-submit up-target="#out">` + fields + out, login: true},
	{name: "unpoly-preload", library: "Unpoly", body: `<a id="go" href="PATH" up-follow up-preload up-target="#out">Go</a>` + out, target: true},

	{name: "alpine-link", library: "Alpine", body: `<div x-data><a id="go" href="PATH" x-target="out">Go</a></div>` + out, target: true},
	{name: "alpine-form", library: "Alpine", body: `<div x-data><form method="post" action="PATH" x-target="out">` + fields + `</div>` + out, login: true},

	{name: "datastar-get", library: "Datastar", body: `<button id="go" data-on-click="@get('PATH')">Go</button>` + out, nothing: true},
	{name: "datastar-post", library: "Datastar", body: `<form data-on-submit="@post('PATH', {contentType: 'form'})">` + fields + out, login: true, nothing: true},
}

func wayNamed(name string) way {
	for _, w := range ways {
		if w.name == name {
			return w
		}
	}
	panic("no way is named " + name)
}
