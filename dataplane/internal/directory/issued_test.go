package directory

import (
	"strings"
	"testing"
	"time"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func blockedToken(t testing.TB, n, issuer int, token string, until int64) *edgev1.EntryChange {
	t.Helper()
	of := idOf(issuer)
	return blockEntry(t, n, &directoryv1.Block{Target: &directoryv1.Block_Token{Token: &directoryv1.IssuedToken{Issuer: of[:], Id: token}}, ExpiresAtMs: until})
}

func blockedSubject(t testing.TB, n, issuer int, subject string, until int64) *edgev1.EntryChange {
	t.Helper()
	of := idOf(issuer)
	return blockEntry(t, n, &directoryv1.Block{Target: &directoryv1.Block_Subject{Subject: &directoryv1.IssuedSubject{Issuer: of[:], Subject: subject}}, ExpiresAtMs: until})
}

func TestATokensBearerIsLetInAsLongAsNothingSpeaksAgainstIt(t *testing.T) {
	end := blockTime.UnixMilli()
	token := Token{Issuer: idOf(1), ID: "t-1", Subject: "alice"}
	ending := token
	ending.ExpiresMs = end
	nameless := Token{Issuer: idOf(1)}
	for name, tt := range map[string]struct {
		with  []*edgev1.EntryChange
		token Token
		of    int // consumer
		at    time.Duration
		want  problem.Code
	}{
		"let in":                 {token: token, of: 1},
		"before its end":         {token: ending, of: 1, at: -time.Millisecond},
		"at its end":             {token: ending, of: 1, want: problem.CredentialExpired},
		"consumer gone":          {token: token, of: 2, want: problem.CredentialInvalid},
		"consumer suspended":     {with: []*edgev1.EntryChange{consumerEntry(t, 1, &directoryv1.Consumer{Suspended: true})}, token: token, of: 1, want: problem.ConsumerSuspended},
		"consumer blocked":       {with: []*edgev1.EntryChange{blockedConsumer(t, 1, 1, 0)}, token: token, of: 1, want: problem.Blocked},
		"token blocked":          {with: []*edgev1.EntryChange{blockedToken(t, 1, 1, "t-1", 0)}, token: token, of: 1, want: problem.Blocked},
		"subject blocked":        {with: []*edgev1.EntryChange{blockedSubject(t, 1, 1, "alice", 0)}, token: token, of: 1, want: problem.Blocked},
		"block has ended":        {with: []*edgev1.EntryChange{blockedToken(t, 1, 1, "t-1", end)}, token: token, of: 1},
		"block about to end":     {with: []*edgev1.EntryChange{blockedToken(t, 1, 1, "t-1", end)}, token: token, of: 1, at: -time.Millisecond, want: problem.Blocked},
		"one ends, one stays":    {with: []*edgev1.EntryChange{blockedSubject(t, 1, 1, "alice", 1), blockedSubject(t, 2, 1, "alice", 0)}, token: token, of: 1, want: problem.Blocked},
		"another token":          {with: []*edgev1.EntryChange{blockedToken(t, 1, 1, "t-2", 0)}, token: token, of: 1},
		"another issuer's":       {with: []*edgev1.EntryChange{blockedToken(t, 1, 2, "t-1", 0), blockedSubject(t, 2, 2, "alice", 0)}, token: token, of: 1},
		"token named as subject": {with: []*edgev1.EntryChange{blockedToken(t, 1, 1, "alice", 0), blockedSubject(t, 2, 1, "t-1", 0)}, token: token, of: 1},
		"token without names":    {with: []*edgev1.EntryChange{blockedToken(t, 1, 1, "t-1", 0), blockedSubject(t, 2, 1, "alice", 0)}, token: nameless, of: 1},
	} {
		t.Run(name, func(t *testing.T) {
			byDelta, bySnapshot := New(), New()
			apply(t, byDelta, consumer(t, 1, "app"))
			apply(t, byDelta, tt.with...)
			all := map[string]*edgev1.EntryChange{}
			for _, entry := range append([]*edgev1.EntryChange{consumer(t, 1, "app")}, tt.with...) {
				all[string(entry.GetKey())] = entry
			}
			var entries []*edgev1.EntryChange
			for _, entry := range all {
				entries = append(entries, entry)
			}
			load(t, bySnapshot, 1, entries...)
			for _, d := range []*Directory{byDelta, bySnapshot} {
				now := blockTime.Add(tt.at)
				code, denied := d.Denied(Bearer{Consumer: idOf(tt.of), Token: &tt.token, Address: home}, now)
				if code != tt.want || denied != (tt.want != "") {
					t.Errorf("%q, %v, want %q", code, denied, tt.want)
				}
				who, _ := d.Consumer(idOf(tt.of))
				if code := d.AdmitToken(&tt.token, who, now); code != tt.want {
					t.Errorf("asked of the request: %q, want %q", code, tt.want)
				}
			}
		})
	}
}

func TestABlockOfATokenTakenOutLetsInAgainAndLeavesNothingBehind(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "app"))
	before := headOf(d)
	blocks := []*edgev1.EntryChange{blockedToken(t, 1, 1, "t", 0), blockedSubject(t, 2, 1, "s", 0), blockedToken(t, 3, 1, "t", 0)}
	apply(t, d, blocks...)
	who := Bearer{Consumer: idOf(1), Token: &Token{Issuer: idOf(1), ID: "t"}}
	apply(t, d, gone(blocks[0]))
	if code, _ := d.Denied(who, blockTime); code != problem.Blocked {
		t.Errorf("with one of two blocks gone: %q", code)
	}
	apply(t, d, gone(blocks[1]), gone(blocks[2]))
	if code, denied := d.Denied(who, blockTime); denied {
		t.Error(code)
	}
	if headOf(d) != before || d.state.Load().blocks.Load() != nil {
		t.Error("something stays")
	}
}

func TestAskingAboutATokenAllocatesNothing(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "a"), blockedToken(t, 1, 1, "other", 0), blockedSubject(t, 2, 1, "other", 0))
	token := &Token{Issuer: idOf(1), ID: strings.Repeat("t", 256), Subject: "alice", ExpiresMs: blockTime.UnixMilli() + 1}
	if n := testing.AllocsPerRun(100, func() {
		who, _ := d.ConsumerNamed("a")
		if code := d.AdmitToken(token, who, blockTime); code != "" {
			t.Error(code)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
