package keylife

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// What becomes of a text that was handed in.
const (
	statusRevoked = "revoked"
	statusUnknown = "unknown"
)

// Leaked revokes those of the texts that are keys of the environment, at once, and says of each whether it was one. Of keys that weren't
// handed in it tells nothing.
func (k *Keys) Leaked(ctx context.Context, r Request, found *adminv1.LeakedApiKeysRequest) (*adminv1.ApiKeysLeaked, publish.Result, error) {
	peppers, err := k.peppers(ctx, r.Environment)
	if err != nil {
		return nil, publish.Result{}, err
	}
	digests := make([][]digest.Key, len(found.GetKeys()))
	for i, text := range found.GetKeys() {
		digests[i] = digestsOf(peppers, sha256.Sum256([]byte(strings.TrimSpace(text))))
	}
	for attempt := 1; ; attempt++ {
		answer, result, err := k.leaked(ctx, r, digests, found.GetSource())
		if problem.CodeOf(err) == problem.NotFound && attempt < revokeAttempts {
			continue
		}
		return answer, result, err
	}
}

// leaked makes one attempt.
func (k *Keys) leaked(ctx context.Context, r Request, digests [][]digest.Key, source string) (*adminv1.ApiKeysLeaked, publish.Result, error) {
	known, _, err := k.known(ctx, r.Environment, digests)
	if err != nil {
		return nil, publish.Result{}, err
	}
	answer, all := new(adminv1.ApiKeysLeaked), make([]Key, 0, len(digests))
	seen := make(map[string]bool)
	for _, of := range digests {
		key, ours := firstOf(known, of)
		if !ours {
			answer.Results = append(answer.Results, &adminv1.LeakedApiKey{Status: statusUnknown})
			continue
		}
		answer.Results = append(answer.Results, &adminv1.LeakedApiKey{Status: statusRevoked, ApiKey: key.ID})
		if !seen[key.ID] {
			seen[key.ID] = true
			all = append(all, key)
		}
	}
	if len(all) == 0 {
		return answer, publish.Result{}, nil
	}
	result, err := k.delete(ctx, r, all, publish.CauseLeaked, "leaked: "+source)
	if err != nil {
		return nil, result, err
	}
	answer.Sequence = &result.Sequence
	return answer, result, nil
}

// known returns the keys that have one of the digests, by it, and those of the digests that a key had that is gone.
func (k *Keys) known(ctx context.Context, environment string, digests [][]digest.Key) (map[digest.Key]Key, map[digest.Key]bool, error) {
	var all []digest.Key
	for _, of := range digests {
		all = append(all, of...)
	}
	keys, gone, err := k.store.KeysOfDigests(ctx, environment, all)
	if err != nil {
		return nil, nil, err
	}
	known, lost := make(map[digest.Key]Key, len(keys)), make(map[digest.Key]bool, len(gone))
	for _, key := range keys {
		known[key.Digest] = key
	}
	for _, of := range gone {
		lost[of] = true
	}
	return known, lost, nil
}

// digestsOf returns what a key may be found by, the newest pepper's first.
func digestsOf(peppers []*apikey.Pepper, sum [sha256.Size]byte) []digest.Key {
	digests := make([]digest.Key, len(peppers))
	for i, p := range peppers {
		digests[i] = digest.Key(p.DigestOfSHA256(sum))
	}
	return digests
}

func firstOf(known map[digest.Key]Key, digests []digest.Key) (Key, bool) {
	for _, of := range digests {
		if key, ok := known[of]; ok {
			return key, true
		}
	}
	return Key{}, false
}
