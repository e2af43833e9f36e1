package epochs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// blocks draws up the blocks that the node holds and the database lacks, or ends earlier. They are made again under their ids, so
// that their entries are what nodes hold, and each is made once, however many nodes show it. One that was deleted after the
// restore is made again too: the lost history may have prolonged it, and to block too much is safe.
func (e *Epochs) blocks(ctx context.Context, said Evidence, epoch uint64, found *findings) ([]denial, error) {
	var denials []denial
	for some := range slices.Chunk(slices.Sorted(maps.Keys(found.blocks)), lookAtOnce) {
		known, err := e.store.Blocks(ctx, said.Environment, some)
		if err != nil {
			return nil, fmt.Errorf("look up blocks: %w", err)
		}
		for _, block := range some {
			held := found.blocks[block]
			ends := endOf(held)
			if !ends.IsZero() && !ends.After(e.now()) {
				continue // it blocks nobody
			}
			var d denial
			if is, ok := known[block]; !ok {
				d, err = remade(said, epoch, block, held, ends)
			} else if d, ok, err = prolonged(block, is, ends); !ok {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("block %s: %w", block, err)
			}
			denials = append(denials, d)
		}
	}
	return denials, nil
}

// endOf returns from when a block as nodes hold it blocks nobody; zero: never.
func endOf(b *directoryv1.Block) time.Time {
	if b.GetExpiresAtMs() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(b.GetExpiresAtMs()).UTC()
}

func remade(said Evidence, epoch uint64, block string, held *directoryv1.Block, ends time.Time) (denial, error) {
	body := map[string]any{
		"description": fmt.Sprintf("Taken back from node %s in epoch %d: the database had lost it, and with it what else it said", said.Node, epoch),
	}
	switch target := held.GetTarget().(type) {
	case *directoryv1.Block_Consumer:
		body["consumer"] = textOf(id.Consumer, target.Consumer)
	case *directoryv1.Block_ApiKey:
		body["api_key"] = textOf(id.APIKey, target.ApiKey)
	case *directoryv1.Block_Token:
		body["token"] = map[string]string{"issuer": textOf(id.Issuer, target.Token.GetIssuer()), "id": target.Token.GetId()}
	case *directoryv1.Block_Subject:
		body["subject"] = map[string]string{"issuer": textOf(id.Issuer, target.Subject.GetIssuer()), "subject": target.Subject.GetSubject()}
	case *directoryv1.Block_AddressRange:
		body["address_range"] = target.AddressRange
	}
	if !ends.IsZero() {
		body["expires_at"] = ends
	}
	encoded, err := json.Marshal(body)
	return denial{words: "it was made", operation: publish.Operation{
		Verb: publish.Create, Collection: directory.Blocks, Key: block, Body: encoded,
	}}, err
}

// prolonged makes a block of the database last as long as the node's; false if it does. Nodes hold ends rounded up to the millisecond.
func prolonged(block string, ours, theirs time.Time) (denial, bool, error) {
	if ours.IsZero() || !theirs.IsZero() && !theirs.After(ours.Add(time.Millisecond-time.Nanosecond)) {
		return denial{}, false, nil
	}
	end, words := &theirs, "it lasts until "+theirs.Format(time.RFC3339)
	if theirs.IsZero() {
		end, words = nil, "it lasts for ever"
	}
	patch, err := json.Marshal(map[string]*time.Time{"expires_at": end})
	return denial{words: words, operation: publish.Operation{Verb: publish.Patch, Collection: directory.Blocks, Key: block, Body: patch}}, true, err
}

// textOf is an id as text; one of another length, which the control plane never made, is "", and refused where it is needed.
func textOf(prefix string, raw []byte) string {
	if len(raw) != len(id.ID{}) {
		return ""
	}
	return id.Text(prefix, id.ID(raw))
}
