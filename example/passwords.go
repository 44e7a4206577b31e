package main

import (
	"context"
	"crypto/rand"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"
)

// ownerParams are OWASP's least for argon2id: 19 MiB and two passes, some 30 ms.
var ownerParams = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// maxPassword bounds what a stranger can have hashed.
const maxPassword = 1024

// hasher makes and checks password hashes, a few at a time: each takes a
// processor and 19 MiB, and anybody can ask for one.
type hasher struct {
	params  *argon2id.Params
	slots   chan struct{}
	dummy   string                                    // the hash of no password that anybody has
	compare func(password, hash string) (bool, error) // argon2id's; tests count
}

func newHasher(params *argon2id.Params) *hasher {
	dummy, err := argon2id.CreateHash(rand.Text(), params)
	if err != nil {
		panic(err) // the system's randomness; the runtime itself ends without it
	}
	return &hasher{
		params:  params,
		slots:   make(chan struct{}, min(4, runtime.GOMAXPROCS(0))),
		dummy:   dummy,
		compare: argon2id.ComparePasswordAndHash,
	}
}

// queueFor is how long a login waits for its turn before it is told to come again.
const queueFor = 5 * time.Second

// acquire waits for a turn. The caller must call release.
func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, queueFor)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, h.params)
}

// matches says whether the hash is the password's. No hash, an unknown user's,
// takes as long as a wrong password. Only the holder of a turn may call it.
func (h *hasher) matches(password, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	ok, err := h.compare(password, hash)
	return ok && known, err
}
