package jwk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Bounds of a set. Large issuers publish some ten keys.
const (
	MaxSet  = 512 << 10 // bytes of JSON
	MaxKeys = 256
)

// Errors of a set of which nothing is read.
var (
	errSetLong  = fmt.Errorf("jwk: a set of more than %d bytes", MaxSet)
	errNoSet    = errors.New(`jwk: no JSON Web Key Set: no object with a list "keys" (RFC 7517 section 5)`)
	errManyKeys = fmt.Errorf("jwk: more than %d keys in the set", MaxKeys)
	errSameID   = errors.New("jwk: kid: another key of the set has the same")
	errTwice    = errors.New("jwk: a name is given twice, or a text isn't Unicode")
)

// Unusable is a key of a set that was left out.
type Unusable struct {
	// Index is its place in the set, from 0.
	Index int
	// ID is its name; "": it has none, or none that can be shown.
	ID string
	// Err is why it was left out.
	Err error
}

// ParseSet reads a JSON Web Key Set (RFC 7517, section 5): the keys that can be used, in their order, and those that can't, with the
// reason. Which of two keys with one name is meant nobody knows, so that neither is used. It fails if there is no set.
func ParseSet(data []byte) ([]Key, []Unusable, error) {
	if len(data) > MaxSet {
		return nil, nil, errSetLong
	}
	root, violations, err := jsontree.Parse(data)
	if err != nil {
		return nil, nil, fmt.Errorf("jwk: %w", err)
	}
	list := root.Member("keys")
	if root.Kind != jsontree.Object || list == nil || list.Kind != jsontree.Array {
		return nil, nil, errNoSet
	}
	if len(list.Items) > MaxKeys {
		return nil, nil, errManyKeys
	}
	broken, err := brokenKeys(violations)
	if err != nil {
		return nil, nil, err
	}
	keys, unusable := readAll(list.Items, broken)
	return keys, unusable, nil
}

// brokenKeys returns the places in the set that have something with two readings. It fails if that is outside of any key.
func brokenKeys(violations []problem.Violation) (map[int]bool, error) {
	if len(violations) >= jsontree.MaxFindings {
		return nil, errTwice // there may be more, that weren't told
	}
	broken := make(map[int]bool)
	for _, v := range violations {
		place, found := strings.CutPrefix(v.Pointer, "/keys/")
		place, _, _ = strings.Cut(place, "/")
		index, err := strconv.Atoi(place)
		if !found || err != nil {
			return nil, fmt.Errorf("jwk: %s: %s", v.Pointer, v.Detail)
		}
		broken[index] = true
	}
	return broken, nil
}

func readAll(items []jsontree.Value, broken map[int]bool) (keys []Key, unusable []Unusable) {
	byID := make(map[string]int, len(items)) // how many usable keys have it
	read := make([]parsed, len(items))
	for i := range items {
		read[i] = readOne(&items[i], broken[i])
		if read[i].err == nil && read[i].key.ID != "" {
			byID[read[i].key.ID]++
		}
	}
	for i, one := range read {
		if one.err == nil && byID[one.key.ID] > 1 {
			one.err = errSameID
		}
		if one.err != nil {
			id, _ := readID(&items[i])
			unusable = append(unusable, Unusable{Index: i, ID: id, Err: one.err})
			continue
		}
		keys = append(keys, one.key)
	}
	return keys, unusable
}

type parsed struct {
	key Key
	err error
}

func readOne(item *jsontree.Value, broken bool) parsed {
	if broken {
		return parsed{err: errTwice}
	}
	key, err := read(item)
	return parsed{key, err}
}
