package tokens

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/sessionkit/sessionkit/session/store"
)

// config is x/oauth2 for a client of a node.
func (n *node) config(client, secret string) *oauth2.Config {
	style := oauth2.AuthStyleInParams
	if secret != "" {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: client, ClientSecret: secret, Endpoint: oauth2.Endpoint{
		TokenURL:      n.server.URL + "/oauth/token",
		DeviceAuthURL: n.server.URL + "/oauth/device",
		AuthStyle:     style,
	}}
}

// wantOver fails the test unless the server says that the session is over.
func wantOver(t *testing.T, what string, err error) {
	t.Helper()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("%s: %v; want invalid_grant", what, err)
	}
}

var errLost = errors.New("the answer is lost")

// lossy loses a part of the answers, after the server has sent them. It is not safe for
// concurrent use.
type lossy struct {
	dice           *rand.Rand
	answered, lost int
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	l.answered++
	if l.dice.IntN(20) > 0 {
		return answer, nil
	}
	l.lost++
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return nil, err
	}
	return nil, errLost
}

// shortTTL is little more than the shortest that Config accepts, so that a busy machine has the
// time for an answer.
const shortTTL = 1150 * time.Millisecond

// Each rotation waits for its token to grow old, so several clients live side by side.
func TestOAuth2_TokenSourceLivesOnDespiteLostAnswers(t *testing.T) {
	t.Parallel()
	const clients, rotations = 5, 40
	var lives [clients]life
	t.Run("clients", func(t *testing.T) {
		for i := range lives {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				lives[i] = liveOn(t, rotations, rand.New(rand.NewPCG(1, uint64(i))))
			})
		}
	})
	var all life
	for _, l := range lives {
		all.slow += l.slow
		all.lost += l.lost
	}
	if all.slow > clients*rotations/10 || all.lost < clients*rotations/40 {
		t.Errorf("of %d rotations %d took long, and %d answers were lost; want few slow ones and enough lost answers", clients*rotations, all.slow, all.lost)
	}
}

// life counts what has happened to a client of liveOn.
type life struct {
	slow int // rounds that took too long to say anything
	lost int // answers
}

// liveOn refreshes the tokens of a client until they have rotated so often, and then ends the
// session. x/oauth2 takes a token for expired ten seconds early, so each call of Token refreshes.
func liveOn(t *testing.T, rotations int, dice *rand.Rand) life {
	t.Helper()
	a := newApp(t, shortTTL, 1)
	n := a.nodes[0]
	config := n.config(publicClient, "")
	device, err := config.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n.approveAsUser(device.UserCode)
	first, err := config.DeviceAccessToken(t.Context(), device)
	if err != nil {
		t.Fatal(err)
	}
	_, who := n.show(first.AccessToken)
	if who.User != ada || who.Client != publicClient {
		t.Fatalf("after the login of the device: %+v", who)
	}

	network := &lossy{dice: dice}
	source := config.TokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: network}), first)
	rounds, late, slow := 0, 0, 0
	// try calls Token until an answer arrives, ten times at most.
	try := func() (got *oauth2.Token, err error) {
		for range 10 {
			if got, err = source.Token(); !errors.Is(err, errLost) {
				break
			}
		}
		return got, err
	}
	refresh := func() *oauth2.Token {
		a.grow()
		rounds++
		got, err := try()
		if err != nil {
			t.Fatalf("round %d: %v", rounds, err)
		}
		return got
	}
	last := refresh()
	fresh := last.RefreshToken != first.RefreshToken
	// A machine that stands still makes some answers late, and these have no refresh token.
	for generation := uint64(0); generation < uint64(rotations) && rounds < rotations*2; {
		asked, old := time.Now(), last.RefreshToken
		last = refresh()
		switch status, got := n.show(last.AccessToken); {
		case status == http.StatusOK && got == who:
		case time.Since(asked)-a.ttl*5/6 > a.ttl*3/4:
			slow++
		default:
			t.Fatalf("round %d: a new access token is answered with %d, %+v", rounds, status, got)
		}
		if fresh {
			generation++
		}
		if got := a.row(who.Session).Generation; got != generation {
			t.Fatalf("round %d: generation %d; want %d", rounds, got, generation)
		}
		if fresh = last.RefreshToken != old; !fresh {
			late++
			t.Logf("round %d: no new refresh token, after %v", rounds, time.Since(asked)-a.ttl*5/6)
		}
	}
	t.Logf("%d answers, of which %d were lost; %d rounds, of which %d had no refresh token, and %d took long; events: %v", network.answered, network.lost, rounds, late, slow, a.reported())
	if got := a.row(who.Session).Generation; got != uint64(rotations) {
		t.Errorf("generation %d; want %d", got, rotations)
	}
	if got := a.thefts(); got > 0 {
		t.Errorf("%d thefts", got)
	}

	n.revoke(publicClient, last.RefreshToken)
	_, err = try()
	wantOver(t, "after the revocation", err)
	if status, _ := n.show(last.AccessToken); status != http.StatusUnauthorized {
		t.Errorf("the access token after the revocation: %d; want 401", status)
	}
	if got := a.row(who.Session).Reason; got != store.ReasonLogout {
		t.Errorf("the reason is %q; want %q", got, store.ReasonLogout)
	}
	return life{slow, network.lost}
}

func TestOAuth2_ParallelRefreshesOnTwoNodesAllGetUsableTokens(t *testing.T) {
	t.Parallel()
	a := newApp(t, 6*time.Second, 2)
	client := a.holder(publicClient, "")
	a.grow()
	client.mustRefresh() // the next refresh token is a child, so it is confirmed
	a.grow()
	var all sync.WaitGroup
	begin := make(chan struct{})
	answers := make([]*oauth2.Token, 8)
	for i := range answers {
		config := a.nodes[i%2].config(publicClient, "")
		all.Go(func() {
			<-begin
			var err error
			if answers[i], err = config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: client.refreshToken}).Token(); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	all.Wait()
	if t.Failed() {
		return
	}
	for i, answer := range answers {
		for _, n := range a.nodes {
			if status, who := n.show(answer.AccessToken); status != http.StatusOK || who.Session != client.session {
				t.Errorf("answer %d: the access token is answered with %d, %+v", i, status, who)
			}
		}
		if answer.RefreshToken == client.refreshToken {
			t.Errorf("answer %d has no new refresh token", i)
		}
	}
	if got := a.row(client.session).Generation; got != 1 {
		t.Errorf("generation %d; want 1", got)
	}
	a.grow()
	client.refreshToken = answers[5].RefreshToken
	client.mustRefresh()
	if got := a.row(client.session).Generation; got != 2 || a.thefts() > 0 {
		t.Errorf("afterwards: generation %d and %d thefts; want 2 and none", got, a.thefts())
	}
}

// holder is somebody with a refresh token: a client, or a thief with a copy.
type holder struct {
	app                       *app
	config                    *oauth2.Config
	session                   string
	accessToken, refreshToken string
}

// holder returns a client of the first node, with a new session.
func (a *app) holder(client, secret string) *holder {
	a.Helper()
	tokens, id := a.login(client)
	return &holder{a, a.nodes[0].config(client, secret), id, tokens.AccessToken, tokens.RefreshToken}
}

// copy returns a thief, who has stolen all of it.
func (h *holder) copy() *holder {
	thief := *h
	return &thief
}

// discard refreshes, and keeps the access token alone.
func (h *holder) discard() error {
	answer, err := h.config.TokenSource(h.app.Context(), &oauth2.Token{RefreshToken: h.refreshToken}).Token()
	if err != nil {
		return err
	}
	h.accessToken = answer.AccessToken
	return nil
}

func (h *holder) refresh() error {
	answer, err := h.config.TokenSource(h.app.Context(), &oauth2.Token{RefreshToken: h.refreshToken}).Token()
	if err != nil {
		return err
	}
	h.accessToken, h.refreshToken = answer.AccessToken, answer.RefreshToken
	return nil
}

func (h *holder) mustRefresh() {
	h.app.Helper()
	old := h.refreshToken
	if err := h.refresh(); err != nil || h.refreshToken == old {
		h.app.Fatalf("a refresh: a new refresh token: %v, %v", h.refreshToken != old, err)
	}
}

// Each kind of thief has a copy of the client's tokens and secret. The session is over for both
// when the second of the two comes back.
func TestOAuth2_TheftOfARefreshTokenIsNoticed(t *testing.T) {
	t.Parallel()
	for name, theft := range map[string]func(a *app, thief, victim *holder) (active, next *holder){
		"he rotates first": func(a *app, thief, victim *holder) (active, next *holder) {
			thief.mustRefresh()
			a.expire()
			thief.mustRefresh() // confirms his child
			return thief, victim
		},
		"he rotates after the victim": func(a *app, thief, victim *holder) (active, next *holder) {
			victim.mustRefresh()
			a.expire()
			victim.mustRefresh()
			return victim, thief
		},
		"he discards his answers": func(a *app, thief, victim *holder) (active, next *holder) {
			victim.mustRefresh()
			for range 2 {
				a.expire()
				if err := thief.discard(); err != nil {
					a.Fatalf("the thief's refresh: %v", err)
				}
			}
			return thief, victim
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 4*time.Second, 1)
			victim := a.holder(secretClient, secret)
			thief := victim.copy()
			a.expire()
			active, next := theft(a, thief, victim)
			time.Sleep(a.ttl / 4) // longer than a straggler may take
			if status, _ := a.nodes[0].show(active.accessToken); status != http.StatusOK {
				t.Errorf("before it is noticed: the access token is answered with %d; want 200", status)
			}
			if got := a.thefts(); got > 0 {
				t.Errorf("%d thefts before the other one comes back", got)
			}
			wantOver(t, "the other one", next.refresh())
			if status, _ := a.nodes[0].show(active.accessToken); status != http.StatusUnauthorized {
				t.Errorf("afterwards the access token is answered with %d; want 401", status)
			}
			wantOver(t, "the thief afterwards", thief.refresh())
			wantOver(t, "the victim afterwards", victim.refresh())
			if got := a.row(victim.session).Reason; got != store.ReasonReuse || a.thefts() != 1 {
				t.Errorf("the reason is %q, with %d thefts reported; want %q and 1", got, a.thefts(), store.ReasonReuse)
			}
		})
	}
}

// expire waits until the access tokens have expired, and a presentation of a refresh token
// counts as late.
func (a *app) expire() { time.Sleep(a.ttl + 50*time.Millisecond) }
