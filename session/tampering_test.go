package session_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"

	"github.com/sessionkit/sessionkit/session"
)

// changedValues calls yield with every value that differs from a valid one in a bit, a
// character, its length, or by an insertion.
func changedValues(value string, yield func(what, changed string)) {
	for i := range len(value) {
		for bit := range 8 {
			b := []byte(value)
			b[i] ^= 1 << bit
			yield("a flipped bit", string(b))
		}
		for _, c := range base64Alphabet + "=+/%\x00" {
			yield("another character", value[:i]+string(c)+value[i+1:])
		}
		for _, c := range []string{"\r", "\n", "\r\n", "\t", " ", "=", `"`, "A", "\x00", "é"} {
			yield("an insertion", value[:i]+c+value[i:])
		}
		yield("a cut", value[:i])
		yield("a cut at the start", value[i+1:])
	}
	for n := 1; n <= 64; n++ {
		yield("an addition", value+strings.Repeat("A", n))
		yield("an addition", value+strings.Repeat("=", n))
	}
	for _, tail := range []string{"\n", "\r\n", "\r", "\x00", "|", `"`} {
		yield("an addition", value+tail)
	}
	yield("padding removed", strings.TrimRight(value, "="))
	yield("the other alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(value)+"+")
	yield("twice", value+value)
}

// Every bit of a cookie counts. securecookie alone accepts several spellings of one
// value: the test checks that it met some of them.
func TestManager_ChangedCookieIsRefused(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		a := newAttacker(w)
		acceptedBySecurecookie := 0
		for _, c := range w.sealedCookies() {
			codec := codecFor(w.T, testWorldKey, kindOf(c.name))
			codec.SetSerializer(securecookie.NopEncoder{})
			changedValues(c.value, func(what, changed string) {
				// White space around a cookie is not part of it (RFC 6265, section 5.2).
				if strings.Trim(changed, " \t") == c.value {
					return
				}
				a.sends(what, c.name+"="+changed)
				if codec.Decode(c.name, changed, new([]byte)) == nil {
					acceptedBySecurecookie++
				}
			})
		}
		a.report("changed cookies", 100_000)
		if acceptedBySecurecookie == 0 {
			w.Error("securecookie itself accepts one spelling only: the check for the canonical spelling can go")
		}
		w.Logf("securecookie alone would have accepted %d of them", acceptedBySecurecookie)
	})
}

func TestManager_RandomCookieIsRefused(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		a := newAttacker(w)
		random := rand.New(rand.NewPCG(1, 2))
		someBytes := func() []byte {
			b := make([]byte, 1+random.IntN(2000))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			return b
		}
		for i := range 10_000 {
			for _, name := range []string{accessCookie, refreshCookie} {
				var value string
				switch b := someBytes(); i % 4 {
				case 0:
					value = string(b)
				case 1:
					value = base64.URLEncoding.EncodeToString(b)
				case 2: // the form of securecookie: time, content and MAC
					value = base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "%d|%s|%s", random.IntN(2_000_000_000), base64.URLEncoding.EncodeToString(b), someBytes()[:1]))
				case 3:
					value = base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "1893456000|%x|%x", b, b[:min(32, len(b))]))
				}
				a.sends("random bytes", name+"="+value)
			}
		}
		a.report("random cookies", 20_000)
	})
}

// A cookie that is too long is refused before it is decoded: it allocates no more than
// a valid one.
func TestManager_LongCookieIsRefusedBeforeItIsDecoded(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		a := newAttacker(w)
		dated := base64.URLEncoding.EncodeToString([]byte("1893456000|"))[:12]
		for _, size := range []int{1025, 4096, 4097, 8 << 10, 64 << 10, 1 << 20, 1<<20 + 4<<10} {
			for _, name := range []string{accessCookie, refreshCookie} {
				for _, start := range []string{"", dated} {
					line := name + "=" + start + strings.Repeat("A", size-len(start))
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					a.sends(fmt.Sprint(size, " bytes"), line)
					runtime.ReadMemStats(&after)
					if n := after.TotalAlloc - before.TotalAlloc; n > 32<<10 {
						w.Errorf("%d bytes of %s, %q...: %d bytes were allocated", size, name, start, n)
					}
				}
			}
		}
		a.report("long cookies", 28)
	})
}

// A request may have many Cookie headers, with thousands of cookies.
func TestManager_HeaderFullOfCookiesIsRefused(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		a := newAttacker(w)
		for _, n := range []int{5, 3000, 3001, 20_000} {
			for _, name := range []string{accessCookie, refreshCookie} {
				var same, other strings.Builder
				for i := range n {
					fmt.Fprintf(&same, "%s=%d; ", name, i)
					fmt.Fprintf(&other, "c%d=x; ", i)
				}
				a.sends("one name", same.String())
				a.sends("other names", other.String())
				a.sends("two headers", same.String(), other.String())
				a.sends("many headers", strings.Split(same.String(), "; ")...)
			}
		}
		for _, line := range []string{"", ";", "=", "; ;;", "=x", accessCookie, accessCookie + "=", " " + accessCookie + " = x", `$Version="1"; ` + accessCookie + `="x"`,
			accessCookie + `="`, accessCookie + `=""`, "\x00", strings.ToUpper(accessCookie) + "=x", accessCookie + "\t=x", strings.Repeat(";", 100_000)} {
			a.sends("an odd header", line)
		}
		a.report("odd Cookie headers", 40)
	})
}
