package session

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// changes calls yield with every cookie that differs from a good one in a bit, a
// character, its end, or by an insertion.
func changes(value string, yield func(how, changed string)) {
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
		yield("a cut at the front", value[i+1:])
	}
	for n := 1; n <= 64; n++ {
		yield("an addition", value+strings.Repeat("A", n))
		yield("an addition", value+strings.Repeat("=", n))
	}
	for _, tail := range []string{"\n", "\r\n", "\r", "\x00", "|", `"`} {
		yield("an addition", value+tail)
	}
	yield("padding taken away", strings.TrimRight(value, "="))
	yield("the other alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(value)+"+")
	yield("twice", value+value)
}

// Every bit of a cookie counts. Without the check for the one spelling, some of
// these would pass, which shows that there is something here to find.
func TestAChangedCookieIsNoTicket(t *testing.T) {
	inWorld(t, func(w *world) {
		s := newStranger(w)
		passSecurecookie := 0
		for _, c := range w.targets() {
			changes(c.value, func(how, changed string) {
				// White space around a cookie is not part of it (RFC 6265, section 5.2).
				if strings.Trim(changed, " \t") == c.value {
					return
				}
				s.sends(how, c.name+"="+changed)
				if c.by.codecs[0].Decode(c.name, changed, c.fresh()) == nil {
					passSecurecookie++
				}
			})
		}
		s.report("changed cookies", 100_000)
		if passSecurecookie == 0 {
			w.Error("securecookie has only one spelling by itself now: canonical may go")
		}
		w.Logf("%d of them would have passed without the check for the one spelling", passSecurecookie)
	})
}

func TestNonsenseIsNoTicket(t *testing.T) {
	inWorld(t, func(w *world) {
		s := newStranger(w)
		dice := rand.New(rand.NewPCG(1, 2))
		noise := func() []byte {
			b := make([]byte, 1+dice.IntN(2000))
			for i := range b {
				b[i] = byte(dice.Uint32())
			}
			return b
		}
		for i := range 10_000 {
			for _, name := range []string{w.names.access, w.names.refresh} {
				var value string
				switch b := noise(); i % 4 {
				case 0:
					value = string(b)
				case 1:
					value = base64.URLEncoding.EncodeToString(b)
				case 2: // as securecookie writes it: when, what, and a MAC
					value = base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "%d|%s|%s", dice.IntN(2_000_000_000), base64.URLEncoding.EncodeToString(b), noise()[:1]))
				case 3:
					value = base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "1893456000|%x|%x", b, b[:min(32, len(b))]))
				}
				s.sends("nonsense", name+"="+value)
			}
		}
		s.report("cookies of nonsense", 20_000)
	})
}

// However long a cookie is, it costs no memory that a good one would not.
func TestALongCookieIsRefusedBeforeAnythingIsMadeOfIt(t *testing.T) {
	inWorld(t, func(w *world) {
		s := newStranger(w)
		dated := base64.URLEncoding.EncodeToString([]byte("1893456000|"))[:12]
		for _, size := range []int{1025, 4096, 4097, 8 << 10, 64 << 10, 1 << 20, 1<<20 + 4<<10} {
			for _, name := range []string{w.names.access, w.names.refresh} {
				for _, start := range []string{"", dated} {
					line := name + "=" + start + strings.Repeat("A", size-len(start))
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					s.sends(fmt.Sprint(size, " bytes"), line)
					runtime.ReadMemStats(&after)
					if made := after.TotalAlloc - before.TotalAlloc; made > 32<<10 {
						w.Errorf("%d bytes of %s, %q...: %d bytes were allocated", size, name, start, made)
					}
				}
			}
		}
		s.report("long cookies", 28)
	})
}

// A cookie's one header may be many, and hold thousands.
func TestAHeaderFullOfCookies(t *testing.T) {
	inWorld(t, func(w *world) {
		s := newStranger(w)
		for _, n := range []int{5, 3000, 3001, 20_000} {
			for _, name := range []string{w.names.access, w.names.refresh} {
				var same, other strings.Builder
				for i := range n {
					fmt.Fprintf(&same, "%s=%d; ", name, i)
					fmt.Fprintf(&other, "c%d=x; ", i)
				}
				s.sends("one name", same.String())
				s.sends("other names", other.String())
				s.sends("two headers", same.String(), other.String())
				s.sends("many headers", strings.Split(same.String(), "; ")...)
			}
		}
		for _, line := range []string{"", ";", "=", "; ;;", "=x", w.names.access, w.names.access + "=", " " + w.names.access + " = x", `$Version="1"; ` + w.names.access + `="x"`,
			w.names.access + `="`, w.names.access + `=""`, "\x00", strings.ToUpper(w.names.access) + "=x", w.names.access + "\t=x", strings.Repeat(";", 100_000)} {
			s.sends("an odd header", line)
		}
		s.report("odd Cookie headers", 40)
	})
}
