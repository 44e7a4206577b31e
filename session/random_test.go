package session

import (
	"math"
	"math/bits"
	"testing"
	"testing/cryptotest"
	"time"
)

// Secrets and ids are evenly distributed, and come from crypto/rand.
func TestTicket_IDsCannotBeGuessed(t *testing.T) {
	const n = 1_000_000
	seen := make(map[[16]byte]bool, n)
	var counts [256]int
	ones := 0
	for range n {
		id := random16()
		seen[id] = true
		for _, b := range id {
			counts[b]++
			ones += bits.OnesCount8(b)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d ids are duplicates", n-len(seen), n)
	}
	// One run in a million exceeds each of the two limits.
	const all = 16 * n
	chi := 0.0
	for _, c := range counts {
		d := float64(c) - all/256
		chi += d * d / (all / 256)
	}
	if chi > 378 {
		t.Errorf("chi-square over the bytes is %.0f; want about 255", chi)
	}
	if z := math.Abs(float64(ones)-all*4) / math.Sqrt(all*2); z > 4.9 {
		t.Errorf("%d ones in %d bits: %.1f standard deviations off", ones, all*8, z)
	}
	t.Logf("%d random ids: all distinct, chi-square %.0f", n, chi)

	draw := func() (all [][16]byte) {
		cryptotest.SetGlobalRandom(t, 1)
		login := refreshTicket{root: random16(), id: random16()}
		return append(all, login.root, login.id, login.child(time.Now(), 0).id)
	}
	first, second := draw(), draw()
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("number %d does not come from crypto/rand", i)
		}
	}
}
