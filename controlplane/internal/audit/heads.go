package audit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	// headsEvery is how often chains are looked at: so often at most a head is signed.
	headsEvery = time.Second
	// headsTimeout bounds one look.
	headsTimeout = 10 * time.Second
	// doubt is how long something must speak against a chain before it is an alarm: a database that failed over is given a new
	// epoch meanwhile, by the first node that shows what was lost.
	doubt = 5 * time.Second
	// maxAlarms and maxDoubts bound what is kept of an environment's.
	maxAlarms = 20
	maxDoubts = 1000
)

// Heads signs how far each chain goes, and holds what was signed against the table.
type Heads struct {
	store  Store
	signer Signer
	log    *slog.Logger
	stats  *Stats
	now    func() time.Time
	doubt  time.Duration

	mu           sync.Mutex
	environments map[string]*standing
}

// standing is how an environment's chain stands.
type standing struct {
	epoch    uint64
	last     *edgev1.AuditHead // signed last
	signed   *edgev1.SignedAuditHead
	changed  chan struct{}
	compared bool                // with what was kept before this process began
	doubts   map[string]*doubted // by who showed what speaks against the chain; "" is the control plane itself
	alarms   []*adminv1.AuditAlarm
	silent   bool   // nothing is signed since an alarm
	until    uint64 // until the epoch is beyond this
}

type doubted struct {
	head  *edgev1.AuditHead
	since time.Time
}

// NewHeads returns the heads of a store's chains.
func NewHeads(store Store, signer Signer, log *slog.Logger, stats *Stats) *Heads {
	return &Heads{
		store: store, signer: signer, log: log, stats: stats, now: time.Now, doubt: doubt,
		environments: make(map[string]*standing),
	}
}

// Run looks at the chains until ctx ends.
func (h *Heads) Run(ctx context.Context) error {
	tick := time.NewTicker(headsEvery)
	defer tick.Stop()
	failing := false
	for {
		err := h.look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			h.log.Warn("the audit chains can't be looked at; trying again", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Signed returns the newest signed head of an environment, nil if there is none yet, and a channel that is closed at the next.
func (h *Heads) Signed(environment string) (*edgev1.SignedAuditHead, <-chan struct{}) {
	if h == nil {
		return nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.standing(environment)
	return s.signed, s.changed
}

// standing is called with the lock held.
func (h *Heads) standing(environment string) *standing {
	s := h.environments[environment]
	if s == nil {
		s = &standing{changed: make(chan struct{}), doubts: make(map[string]*doubted)}
		h.environments[environment] = s
	}
	return s
}

// look reads where all chains end, holds what was signed before against them, and signs what is new.
func (h *Heads) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, headsTimeout)
	defer cancel()
	heads, err := h.store.Heads(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(heads, func(e Head) bool { return e.Chain == "" })
	if at < 0 {
		heads, at = append(heads, Head{Hash: make([]byte, len(Hash{}))}), len(heads)
	}
	global := heads[at]
	for _, e := range heads {
		if e.Chain == "" || e.Epoch == 0 {
			continue
		}
		if err := h.advance(ctx, e, global); err != nil {
			return err
		}
	}
	return nil
}

// advance looks at one environment's chain.
func (h *Heads) advance(ctx context.Context, now, global Head) error {
	h.mu.Lock()
	s := h.standing(now.Chain)
	if s.silent && now.Epoch > s.until {
		s.silent, s.last, s.compared = false, nil, true // whoever opened the epoch knows of the alarm
		clear(s.doubts)
		h.stats.Alarming.Add(-1)
	}
	before := s.epoch
	s.epoch = now.Epoch
	h.mu.Unlock()
	if before != 0 && before != now.Epoch {
		h.log.Error("a new epoch began: of what nodes have seen of the audit record, what lay behind its opening counts as gone",
			"environment", now.Chain, "epoch", now.Epoch, "events", now.Number)
	}
	if err := h.compareKept(ctx, s, now.Chain); err != nil {
		return err
	}
	next := &edgev1.AuditHead{
		Environment: now.Chain, Epoch: now.Epoch, Number: now.Number, Hash: now.Hash, GlobalNumber: global.Number, GlobalHash: global.Hash,
	}
	if err := h.holdAgainst(ctx, s, next, now, global); err != nil {
		return err
	}
	return h.sign(ctx, s, next)
}

// compareKept takes what was signed by a process before this one for what was signed last.
func (h *Heads) compareKept(ctx context.Context, s *standing, environment string) error {
	if s.compared {
		return nil
	}
	kept, err := h.store.Witnesses(ctx, environment)
	if err != nil {
		return err
	}
	for _, w := range kept {
		if w.Node != "" {
			continue
		}
		signed, err := signedHead(w.Signed)
		if err != nil {
			h.log.Error("the audit head that is kept can't be read", "environment", environment, "error", err)
			continue
		}
		head, err := h.signer.VerifyAudit(signed)
		if err != nil {
			h.log.Error("the audit head that is kept isn't believed", "environment", environment, "error", err)
			continue
		}
		h.mu.Lock()
		s.last = head
		h.mu.Unlock()
	}
	h.mu.Lock()
	s.compared = true
	h.mu.Unlock()
	return nil
}

// holdAgainst doubts a chain that doesn't lead through what was signed or shown, and raises the alarm once that lasts.
func (h *Heads) holdAgainst(ctx context.Context, s *standing, next *edgev1.AuditHead, now, global Head) error {
	for _, end := range []Head{now, global} {
		if end.Number > 0 && !bytes.Equal(end.Hash, end.EventHash) {
			return h.raise(ctx, next, "the newest event of "+chainName(end.Chain)+" isn't the one at which its head is")
		}
	}
	h.mu.Lock()
	if s.last != nil && !s.silent && !sameEnd(s.last, next) && s.doubts[""] == nil {
		s.doubts[""] = &doubted{head: s.last, since: h.now()}
	}
	doubts := make(map[string]*doubted, len(s.doubts))
	for who, d := range s.doubts {
		doubts[who] = d
	}
	h.mu.Unlock()
	for who, d := range doubts {
		if err := h.settle(ctx, s, next, who, d); err != nil {
			return err
		}
	}
	return nil
}

// settle ends a doubt: the chain leads through what was seen, or it is an alarm.
func (h *Heads) settle(ctx context.Context, s *standing, next *edgev1.AuditHead, who string, d *doubted) error {
	against, err := h.against(ctx, d.head, next.GetEpoch())
	if err != nil {
		return err
	}
	lasts := h.now().Sub(d.since) >= h.doubt
	h.mu.Lock()
	if against == "" || lasts {
		delete(s.doubts, who)
	}
	h.mu.Unlock()
	if against == "" || !lasts {
		return nil
	}
	if who != "" {
		against += " (by node " + who + ")"
	}
	return h.raise(ctx, next, against)
}

// against returns what speaks against both chains that a head is about.
func (h *Heads) against(ctx context.Context, head *edgev1.AuditHead, epoch uint64) (string, error) {
	for _, c := range claimsOf(head) {
		if against, err := c.against(ctx, h.store, epoch); against != "" || err != nil {
			return against, err
		}
	}
	return "", nil
}

// raise raises the alarm: in log, metric, status and, as an event, in the chain itself. Nothing is signed any more for the environment,
// so that what nodes keep stays what it was.
func (h *Heads) raise(ctx context.Context, at *edgev1.AuditHead, what string) error {
	environment := at.GetEnvironment()
	h.mu.Lock()
	s := h.standing(environment)
	if !s.silent {
		h.stats.Alarming.Add(1)
	}
	s.silent, s.until = true, at.GetEpoch()
	known := slices.ContainsFunc(s.alarms, func(a *adminv1.AuditAlarm) bool { return a.GetMessage() == what })
	if !known {
		s.alarms = append(s.alarms, &adminv1.AuditAlarm{Time: timestamppb.New(h.now()), Message: what})
		s.alarms = s.alarms[max(0, len(s.alarms)-maxAlarms):]
	}
	h.mu.Unlock()
	if known {
		return nil
	}
	h.stats.Alarms.Add(1)
	h.log.Error("the audit record isn't what it was: somebody has changed it, or the database went back; see sallyport-control audit verify",
		"environment", environment, "what", what)
	return h.store.Append(ctx, []*Draft{{
		origin: Origin{Actor: System, Operation: "checkAudit"}, chain: environment, environment: environment, outcome: OutcomeAlarm, message: what,
	}})
}

// sign signs a head that is new, unless something speaks against the chain.
func (h *Heads) sign(ctx context.Context, s *standing, next *edgev1.AuditHead) error {
	h.mu.Lock()
	current := s.signed != nil && s.signed.GetKeyId() == h.signer.Key().GetId()
	wanted := !s.silent && len(s.doubts) == 0 && (!current || !sameEnd(s.last, next))
	h.mu.Unlock()
	if !wanted {
		return nil
	}
	next.Time = timestamppb.New(h.now())
	signed, err := h.signer.SignAudit(next)
	if err != nil {
		return err
	}
	kept, err := proto.Marshal(signed)
	if err != nil {
		return err
	}
	if err := h.store.KeepWitness(ctx, next.GetEnvironment(), "", next.GetEpoch(), next.GetNumber(), kept); err != nil {
		return err
	}
	h.stats.Signed.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	s.last, s.signed = next, signed
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// sameEnd tells whether two heads are of the same state.
func sameEnd(a, b *edgev1.AuditHead) bool {
	return a.GetEpoch() == b.GetEpoch() && a.GetNumber() == b.GetNumber() && bytes.Equal(a.GetHash(), b.GetHash()) &&
		a.GetGlobalNumber() == b.GetGlobalNumber() && bytes.Equal(a.GetGlobalHash(), b.GetGlobalHash())
}

// Witnessed takes note of the head that a node has kept. What isn't our word says nothing; what is, and the table doesn't
// know, is an alarm if it stays so.
func (h *Heads) Witnessed(ctx context.Context, environment, node string, signed *edgev1.SignedAuditHead) error {
	if h == nil || signed == nil {
		return nil
	}
	head, err := h.signer.VerifyAudit(signed)
	if errors.Is(err, ErrUnknownKey) || err == nil && head.GetEnvironment() != environment {
		h.log.Warn("a node shows an audit head that isn't believed", "environment", environment, "node", node, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	h.stats.Witnessed.Add(1)
	kept, err := proto.Marshal(signed)
	if err != nil {
		return err
	}
	if err := h.store.KeepWitness(ctx, environment, node, head.GetEpoch(), head.GetNumber(), kept); err != nil {
		return err
	}
	h.mu.Lock()
	s := h.standing(environment)
	epoch := s.epoch
	h.mu.Unlock()
	against, err := h.against(ctx, head, epoch)
	if err != nil || against == "" {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(s.doubts) < maxDoubts || s.doubts[node] != nil {
		s.doubts[node] = &doubted{head: head, since: h.now()} // it may be that this replica has yet to hear of a new epoch
	}
	return nil
}

// alarmsOf returns what was found wrong with an environment's record; of the global chain: with any.
func (h *Heads) alarmsOf(environment string) (alarms []*adminv1.AuditAlarm, silent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, s := range h.environments {
		if environment == "" || environment == name {
			alarms, silent = append(alarms, s.alarms...), silent || s.silent
		}
	}
	slices.SortFunc(alarms, func(a, b *adminv1.AuditAlarm) int { return a.GetTime().AsTime().Compare(b.GetTime().AsTime()) })
	return alarms[max(0, len(alarms)-maxAlarms):], silent
}
