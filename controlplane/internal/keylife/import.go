package keylife

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/resource/form"
)

const (
	// weakBelow is of how many characters an imported text must be, and weakVariety how many different ones it must have, unless its
	// importer insists: one can't be guessed through the gateway, but is looked up whenever somebody tries.
	weakBelow   = 16
	weakVariety = 6
	// shownFrom is from how many characters on the first and last four of a text are shown, to recognise it by.
	shownFrom = 24
	shown     = 4
)

// What becomes of an item.
const (
	statusImported = "imported"
	statusKnown    = "known"
)

// Import takes over keys that another system made: all, or none. One that its consumer has already is passed over, so that an import can
// be made again.
func (k *Keys) Import(ctx context.Context, r Request, wanted *adminv1.ImportApiKeysRequest) (*adminv1.ApiKeysImported, publish.Result, error) {
	imported, err := readAll(wanted.GetItems(), r.Force)
	if err != nil {
		return nil, publish.Result{}, err
	}
	plan := &importing{Keys: k, request: r, wanted: wanted, imported: imported, answer: &adminv1.ApiKeysImported{DryRun: r.DryRun}}
	if err := plan.make(ctx); err != nil {
		return nil, publish.Result{}, err
	}
	result, err := plan.write(ctx)
	return plan.answer, result, err
}

// readAll returns what is known of each key, and everything that is wrong with how it is given.
func readAll(items []*adminv1.ImportedApiKey, force bool) ([]*publish.ImportedKey, error) {
	all := make([]*publish.ImportedKey, len(items))
	var violations []problem.Violation
	for i, item := range items {
		key, wrong := read(item, force)
		if wrong != nil {
			wrong.Pointer = problem.Pointer("items", i) + wrong.Pointer
			violations = append(violations, *wrong)
		}
		all[i] = key
	}
	return all, problem.Invalid(violations...)
}

func read(item *adminv1.ImportedApiKey, force bool) (*publish.ImportedKey, *problem.Violation) {
	value, sum := item.GetValue(), item.GetSha256()
	switch {
	case (value == "") == (sum == ""):
		return nil, &problem.Violation{Code: problem.ViolationRequired, Detail: "exactly one of sha256 and value must be given", Allowed: "sha256, value"}
	case sum != "":
		raw, err := hex.DecodeString(sum)
		if err != nil || len(raw) != sha256.Size {
			return nil, &problem.Violation{Pointer: "/sha256", Code: problem.ViolationInvalidFormat, Detail: "is no SHA-256", Allowed: "64 hexadecimal digits"}
		}
		if [sha256.Size]byte(raw) == sha256.Sum256(nil) {
			return nil, &problem.Violation{Pointer: "/sha256", Code: problem.ViolationInvalidValue, Detail: "is the digest of no text at all"}
		}
		return &publish.ImportedKey{SHA256: [sha256.Size]byte(raw)}, nil
	case weak(value) && !force:
		return nil, &problem.Violation{
			Pointer: "/value", Code: problem.ViolationInvalidValue,
			Detail:  "is too easily guessed; give its consumer another key, or import it with force=true",
			Allowed: fmt.Sprintf("%d characters or more, at least %d different ones", weakBelow, weakVariety),
		}
	}
	key := &publish.ImportedKey{SHA256: sha256.Sum256([]byte(value))}
	if len(value) >= shownFrom {
		key.Prefix, key.LastFour = value[:shown], value[len(value)-shown:]
	}
	return key, nil
}

// weak tells whether a key is one that people think up.
func weak(value string) bool {
	different := make(map[byte]bool)
	for i := range len(value) {
		different[value[i]] = true
	}
	return len(value) < weakBelow || len(different) < weakVariety
}

// importing is one import.
type importing struct {
	*Keys
	request  Request
	wanted   *adminv1.ImportApiKeysRequest
	imported []*publish.ImportedKey
	answer   *adminv1.ApiKeysImported

	operations []publish.Operation
	places     []int // of each operation its item; -1: it makes a consumer
}

// make finds out what is to be done.
func (im *importing) make(ctx context.Context) error {
	consumers, err := im.consumers(ctx)
	if err != nil {
		return err
	}
	peppers, err := im.peppers(ctx, im.request.Environment)
	if err != nil {
		return err
	}
	digests := make([][]digest.Key, len(im.imported))
	for i, key := range im.imported {
		digests[i] = digestsOf(peppers, key.SHA256)
	}
	known, gone, err := im.known(ctx, im.request.Environment, digests)
	if err != nil {
		return err
	}
	var violations []problem.Violation
	for i, item := range im.wanted.GetItems() {
		key, exists := firstOf(known, digests[i])
		im.answer.Results = append(im.answer.Results, &adminv1.ImportedApiKeyResult{Status: statusImported, Name: item.GetName()})
		switch {
		case exists && key.Consumer == consumers[item.GetConsumer()]:
			im.answer.Results[i] = &adminv1.ImportedApiKeyResult{Status: statusKnown, ApiKey: key.ID, Name: key.Name}
			continue
		case exists:
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("items", i), Code: string(problem.Conflict), Detail: "another consumer of this environment has this key already",
			})
		case !im.request.Force && anyOf(gone, digests[i]):
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("items", i), Code: string(problem.Conflict),
				Detail: "this key was revoked in this environment; import it with force=true if it is to let in again",
			})
		}
		op, err := operationOf(item, im.imported[i])
		if err != nil {
			return err
		}
		im.operations, im.places = append(im.operations, op), append(im.places, i)
	}
	if len(violations) > 0 {
		err := problem.Errorf(problem.Conflict, "not every key can be taken over; none was")
		err.Errors = violations
		return err
	}
	return nil
}

func anyOf(set map[digest.Key]bool, digests []digest.Key) bool {
	for _, of := range digests {
		if set[of] {
			return true
		}
	}
	return false
}

// consumers returns the ids of the items' consumers by how they are named, and makes those that aren't there if that is wanted. What can't
// be found is refused where it is written.
func (im *importing) consumers(ctx context.Context) (map[string]string, error) {
	ids := make(map[string]string)
	for _, item := range im.wanted.GetItems() {
		named := item.GetConsumer()
		if _, seen := ids[named]; seen {
			continue
		}
		found, err := im.consumer(ctx, im.request, named)
		if err != nil && problem.CodeOf(err) != problem.NotFound {
			return nil, err
		}
		ids[named] = found
		if found != "" || !im.wanted.GetCreateConsumers() || id.LooksLikeID(named) {
			continue
		}
		body, err := json.Marshal(map[string]string{"name": named})
		if err != nil {
			return nil, fmt.Errorf("consumer %s: %w", form.Given(named), err)
		}
		im.operations = append(im.operations, publish.Operation{Verb: publish.Create, Collection: directory.Consumers, Body: body})
		im.places = append(im.places, -1)
	}
	return ids, nil
}

// operationOf returns the operation that takes a key over. Neither its text nor its digest is in the body.
func operationOf(item *adminv1.ImportedApiKey, key *publish.ImportedKey) (publish.Operation, error) {
	body, err := resource.Encode(&adminv1.ApiKey{
		Name: item.GetName(), Labels: item.GetLabels(), Description: item.GetDescription(), Consumer: item.GetConsumer(), Scopes: item.GetScopes(),
		ExpiresAt: item.GetExpiresAt(), Addresses: item.GetAddresses(), Routes: item.GetRoutes(), RetireAfterSilence: item.GetRetireAfterSilence(),
	})
	if err != nil {
		return publish.Operation{}, fmt.Errorf("encode an imported key: %w", err)
	}
	return publish.Operation{Verb: publish.Import, Collection: directory.APIKeys, Body: body, Imported: key}, nil
}

func (im *importing) write(ctx context.Context) (publish.Result, error) {
	if len(im.operations) == 0 {
		return publish.Result{}, nil
	}
	result, err := im.publisher.Apply(ctx, publish.Batch{
		Environment: im.request.Environment, Author: im.request.Author, Message: "import", Operations: im.operations,
		DryRun: im.request.DryRun, Force: im.request.Force, Prefixed: true,
	})
	if err != nil {
		return result, im.pointed(err)
	}
	for i, outcome := range result.Outcomes {
		if at := im.places[i]; at >= 0 {
			im.answer.Results[at].Name = outcome.Name
			if !im.request.DryRun {
				im.answer.Results[at].ApiKey = outcome.ID
			}
		}
	}
	if !im.request.DryRun {
		im.answer.Sequence = &result.Sequence
	}
	im.answer.Warnings = result.Warnings
	return result, nil
}
