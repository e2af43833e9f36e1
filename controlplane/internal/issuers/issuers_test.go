package issuers_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/issuers"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// The promises: a new key is on its way to every node within a second of being seen; a key that its issuer took back is dead within a
// minute, at the default interval of 30 s.
func TestKeysComeAndGoWithTheirIssuersKeySet(t *testing.T) {
	t.Parallel()
	r := start(t)
	a, b := key(t, "a"), key(t, "b")
	p := serve(t, a)
	body := issuer("login", "https://login.test", object{"jwks_url": p.URL, "refresh_interval": "5s"})
	id := r.write(publish.Create, "", body).Outcomes[0].ID
	r.run()
	took := until(t, "the first key is there", func() bool { return len(r.sent(id).GetKeys()) == 1 })
	t.Logf("the first key of a new issuer was there after %v", took)

	shown := make(chan time.Time, 100)
	p.do(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, set(a, b))
		shown <- time.Now()
	})
	until(t, "a new key is there", func() bool { return len(r.sent(id).GetKeys()) == 2 })
	t.Logf("a new key was in the directory %v after it was shown", time.Since(<-shown))

	p.show(b)
	took = until(t, "a key that is gone is dead", func() bool { return len(r.sent(id).GetRetired()) == 1 })
	t.Logf("at an interval of 5s a key was dead %v after it was gone", took)
	r.want(id, "b", 1)
	if late := 30*time.Second + issuers.Tick + issuers.AskTimeout; late >= time.Minute {
		t.Errorf("at the default interval a key that is gone may live for %v", late)
	}

	p.show(a, b)
	until(t, "a key that comes back is good", func() bool { return len(r.sent(id).GetRetired()) == 0 })
	r.want(id, "a b", 0)
}

func TestWhatIsNoKeySetKillsNoKey(t *testing.T) {
	t.Parallel()
	r := start(t)
	a := key(t, "a")
	p := serve(t, a)
	id := r.make("login", p.URL+"?tenant=very-secret")
	r.look()
	r.want(id, "a", 0)
	sequence := r.keys(id).GetSequence()
	var many []object
	for range 65 {
		many = append(many, key(t, "x"+fmt.Sprint(len(many))))
	}
	failures := uint32(0)
	for name, c := range map[string]struct {
		status int
		body   string
		words  string
	}{
		"an error":             {http.StatusInternalServerError, set(a), "the status is 500"},
		"no content":           {http.StatusNoContent, "", "the status is 204"},
		"a page":               {http.StatusOK, "<html>be back soon</html>", "the key set"},
		"nothing":              {http.StatusOK, "", "the key set"},
		"half a set":           {http.StatusOK, set(a)[:40], "the key set"},
		"no list":              {http.StatusOK, `{"keys":{}}`, "no JSON Web Key Set"},
		"an error as JSON":     {http.StatusOK, `{"error":"busy"}`, "no JSON Web Key Set"},
		"two lists":            {http.StatusOK, `{"keys":[],"keys":[]}`, "the key set"},
		"too many":             {http.StatusOK, set(many...), "65 keys"},
		"too long":             {http.StatusOK, `{"keys":[` + strings.Repeat(" ", 600<<10) + `]}`, "larger than it may be"},
		"a set behind nothing": {http.StatusFound, "", "the status is 302"},
	} {
		p.say(c.status, c.body)
		r.look()
		failures++
		keys := r.keys(id)
		if keys.GetFailures() != failures || !strings.Contains(keys.GetError(), c.words) || strings.Contains(keys.GetError(), "secret") || keys.GetSequence() != sequence {
			t.Errorf("%s: %d failures, %q", name, keys.GetFailures(), keys.GetError())
		}
		if wait := time.Until(keys.GetNextAt().AsTime()); wait > 35*time.Second {
			t.Errorf("%s: it is asked again only in %v", name, wait)
		}
		r.want(id, "a", 0)
	}
	p.Close()
	r.look()
	if got := r.keys(id).GetError(); !strings.Contains(got, "refused") || strings.Contains(got, "secret") {
		t.Errorf("a server that is gone: %q", got)
	}
	r.want(id, "a", 0)
	if r.stats.Failed.Load() != uint64(failures)+1 || r.stats.Changed.Load() != 1 {
		t.Errorf("%d failures and %d changes are counted", r.stats.Failed.Load(), r.stats.Changed.Load())
	}
}

func TestASetWithoutAKeyIsBelievedWhenItIsStillSo(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]string{"none": set(), "none of use": set(object{"kty": "oct", "kid": "shared", "k": "AAAA"})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			a := key(t, "a")
			p := serve(t, a)
			id := r.make("login", p.URL)
			r.look()
			p.say(http.StatusOK, empty)
			r.look()
			r.want(id, "a", 0)
			if keys := r.keys(id); keys.GetError() == "" || time.Until(keys.GetNextAt().AsTime()) > 6*time.Second {
				t.Errorf("it isn't looked at again soon: %v", keys)
			}
			r.look() // too soon to be anything but the same
			r.want(id, "a", 0)
			r.due(5 * time.Second)
			r.look()
			r.want(id, "", 1)
			r.look()
			r.want(id, "", 1)
			if r.stats.Empty.Load() != 4 {
				t.Errorf("%d empty sets are counted", r.stats.Empty.Load())
			}
			p.show(a)
			r.look()
			r.want(id, "a", 0)
			p.say(http.StatusOK, empty) // it begins anew
			r.look()
			r.want(id, "a", 0)
		})
	}
}

func TestKeysOfNoUseAreShownWithTheReason(t *testing.T) {
	t.Parallel()
	r := start(t)
	private := key(t, "private")
	private["d"] = private["x"]
	p := serve(t, key(t, "a"), private, key(t, "twice"), key(t, "twice"))
	id := r.make("login", p.URL)
	r.look()
	r.want(id, "a", 0)
	var reasons []string
	for _, u := range r.keys("login").GetUnusable() {
		reasons = append(reasons, u.GetKid()+": "+u.GetReason())
	}
	if got := strings.Join(reasons, "\n"); len(reasons) != 3 || !strings.Contains(got, "private") || !strings.Contains(got, "twice: ") {
		t.Errorf("shown:\n%s", got)
	}
}

func TestAThousandUnknownKeyIDsAskAnIssuerFiveTimesAtMost(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := serve(t, key(t, "a"))
	id := r.make("login", p.URL)
	replicas := []*replica{r, r.another()}
	for _, replica := range replicas {
		replica.run()
	}
	until(t, "the first look", func() bool { return len(r.sent(id).GetKeys()) == 1 })
	var all sync.WaitGroup
	var lock sync.Mutex
	fetched := 0
	for i := range 50 {
		all.Go(func() {
			for range 20 {
				sequence, did, err := replicas[i%2].keeper.Refresh(context.WithoutCancel(t.Context()), r.env, id, fmt.Sprint("made-up-", i))
				if err != nil || sequence == 0 {
					t.Errorf("sequence %d, %v", sequence, err)
				}
				lock.Lock()
				if did {
					fetched++
				}
				lock.Unlock()
			}
		})
	}
	all.Wait()
	if asked := p.asked.Load(); asked > 5 || asked < 2 || fetched < 1 {
		t.Errorf("it was asked %d times, %d of them on demand", asked, fetched)
	}
	if spared := replicas[0].stats.Bounded.Load() + replicas[1].stats.Bounded.Load(); spared == 0 {
		t.Error("nothing was spared")
	}
	if _, _, err := r.keeper.Refresh(t.Context(), r.env, "iss_01k00000000000000000000009", ""); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("an issuer that isn't there: %v", err)
	}
}

// A rotation has every node of a fleet ask for the same key: that costs the issuer one question, and the next rotation is found as soon.
func TestAFleetThatAsksForAKeyWhichIsKnownAsksNobody(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := serve(t, key(t, "a"))
	id := r.make("login", p.URL)
	r.run()
	until(t, "the first look", func() bool { return len(r.sent(id).GetKeys()) == 1 })
	asked := p.asked.Load()
	for range 100 {
		if sequence, did, err := r.keeper.Refresh(t.Context(), r.env, id, "a"); did || sequence == 0 || err != nil {
			t.Fatalf("fetched: %v, sequence %d, %v", did, sequence, err)
		}
	}
	if p.asked.Load() != asked {
		t.Error("the issuer was asked for a key that is known")
	}
	if _, did, err := r.keeper.Refresh(t.Context(), r.env, id, "b"); !did || err != nil {
		t.Errorf("for another one it wasn't asked: %v", err)
	}
}

func TestAnIssuerIsAskedByOneReplicaAndByAnotherWhenThatDies(t *testing.T) {
	t.Parallel()
	r := start(t)
	other := r.another()
	asked, finish := make(chan struct{}), make(chan struct{})
	p := serve(t)
	keys := set(key(t, "a"))
	var first sync.Once
	p.do(func(w http.ResponseWriter, _ *http.Request) {
		waits := false
		first.Do(func() { waits = true })
		if waits {
			close(asked)
			<-finish
		}
		_, _ = fmt.Fprint(w, keys)
	})
	id := r.make("login", p.URL)
	r.due(0)
	ctx, die := context.WithCancel(t.Context())
	looked := make(chan int)
	go func() { looked <- r.keeper.LookNow(ctx) }()
	<-asked
	other.due(0)
	if n := other.keeper.LookNow(t.Context()); n != 0 {
		t.Error("two replicas ask at once")
	}
	brief, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if did, err := other.keeper.AskNow(brief, r.env, id); did || problem.CodeOf(err) != problem.Unavailable {
		t.Errorf("on demand two replicas ask at once: %v %v", did, err)
	}
	// A replica that is gone without a word has its lease until it ends.
	other.due(time.Minute)
	if n := other.keeper.LookNow(t.Context()); n != 1 {
		t.Error("nobody takes a dead replica's place")
	}
	r.want(id, "a", 0)
	close(finish)
	<-looked
	r.want(id, "a", 0)
	die()
	// One that ends in order gives it back at once.
	ended, end := context.WithCancel(t.Context())
	end()
	r.due(0)
	r.keeper.LookNow(ended)
	if n := other.keeper.LookNow(t.Context()); n != 1 {
		t.Error("a lease outlives the replica that ended")
	}
	if r.keys(id).GetFailures() != 0 {
		t.Error("that a replica ends counts as the issuer's failure")
	}
}

func TestAnAnswerOfTheIssuerAsItWasIsDropped(t *testing.T) {
	t.Parallel()
	r := start(t)
	before, after := serve(t), serve(t, key(t, "after"))
	asked, finish := make(chan struct{}), make(chan struct{})
	keys := set(key(t, "before"))
	before.do(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-finish
		_, _ = fmt.Fprint(w, keys)
	})
	id := r.make("login", before.URL)
	looked := make(chan int)
	r.due(0)
	go func() { looked <- r.keeper.LookNow(t.Context()) }()
	<-asked
	r.write(publish.Patch, "login", object{"jwks_url": after.URL})
	r.look()
	r.want(id, "after", 0)
	close(finish)
	<-looked
	r.want(id, "after", 0)
}

func TestAnIssuerThatIsLookedForElsewhereKeepsItsKeysForAMinute(t *testing.T) {
	t.Parallel()
	r := start(t)
	p, gone := serve(t, key(t, "a")), serve(t)
	gone.Close()
	id := r.make("login", p.URL)
	r.look()
	r.write(publish.Patch, "login", object{"description": "the same"})
	r.write(publish.Patch, "login", object{"jwks_url": gone.URL})
	r.look()
	r.want(id, "a", 0)
	r.due(50 * time.Second)
	r.look()
	r.want(id, "a", 0)
	r.due(11 * time.Second)
	r.look()
	r.want(id, "", 1)
	if keys := r.keys(id); keys.GetError() == "" || keys.GetFailures() != 3 {
		t.Errorf("%v", keys)
	}
}

func TestWhereOnlyNodesAskTheControlPlaneDoesNot(t *testing.T) {
	t.Parallel()
	r := start(t)
	a, b := key(t, "a"), key(t, "b")
	p := serve(t, a, b)
	id := r.make("login", p.URL)
	r.look()
	p.show(b)
	r.look()
	r.want(id, "b", 1)
	r.write(publish.Patch, "login", object{"fetch_from": "edge"})
	r.want(id, "", 1) // what it took back stays dead, whoever shows it; the rest is for the nodes to find out
	r.due(0)
	if n := r.keeper.LookNow(t.Context()); n != 0 {
		t.Error("the control plane asks")
	}
	asked := p.asked.Load()
	if keys, err := r.keeper.RefreshKeys(t.Context(), r.env, "login"); err != nil || keys.GetFetched() || keys.GetSource() != "edge" || keys.GetNextAt() != nil {
		t.Errorf("%v %v", keys, err)
	}
	if _, did, err := r.keeper.Refresh(t.Context(), r.env, id, ""); did || err != nil || p.asked.Load() != asked {
		t.Errorf("a node made it ask: %v %v", did, err)
	}
	r.write(publish.Patch, "login", object{"fetch_from": "both"})
	r.look()
	r.want(id, "b", 1)
}

func TestAnIssuersKeysGoWithIt(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := serve(t, key(t, "a"))
	id := r.make("login", p.URL)
	r.look()
	r.want(id, "a", 0)
	r.write(publish.Delete, "login", nil)
	if r.sent(id) != nil {
		t.Error("nodes have the keys of an issuer that was deleted")
	}
	r.due(0)
	if n := r.keeper.LookNow(t.Context()); n != 0 {
		t.Error("it is still asked")
	}
	if _, err := r.keeper.Keys(t.Context(), r.env, id); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("got %v", err)
	}
}
