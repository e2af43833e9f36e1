package apikey

import (
	"errors"
	"hash/crc32"
	"unsafe"
)

// What can be wrong with a key's text. None tells anything of the text itself.
var (
	ErrForm        = errors.New("apikey: not of the form spk_<environment>_<id>_<secret><checksum>")
	ErrEnvironment = errors.New("apikey: the environment's name is not [a-z0-9-]{1,32}")
	ErrChecksum    = errors.New("apikey: the checksum doesn't fit, the key is mistyped or cut")
)

// Parts is what may be shown of a key. All are pieces of the text that Parse was given: clone what
// outlives it, or the whole key stays in memory.
type Parts struct {
	Environment string // name of the environment it was made for
	ID          string // 11 characters, public, tells keys apart
	Prefix      string // spk_<environment>_<id>
	LastFour    string // of the whole text, that is of the checksum
}

// Parse takes a key apart, and takes nothing that Generate couldn't have written. It tells only
// that the text is a key, not that the key is any good. It doesn't allocate.
func Parse(s string) (Parts, error) {
	end := len(s) - tailWidth // of the environment
	if end < len(Scheme) || len(s) > MaxLength || s[:len(Scheme)] != Scheme {
		return Parts{}, ErrForm
	}
	idEnd := end + 1 + idWidth
	if s[end] != '_' || s[idEnd] != '_' || !isBase62(s[end+1:idEnd]) || !isBase62(s[idEnd+1:]) {
		return Parts{}, ErrForm
	}
	environment := s[len(Scheme):end]
	if !isEnvironment(environment) {
		return Parts{}, ErrEnvironment
	}
	body := len(s) - checksumWidth
	if sum := checksum(crc32.ChecksumIEEE(view(s[:body]))); s[body:] != string(sum[:]) {
		return Parts{}, ErrChecksum
	}
	return Parts{
		Environment: environment,
		ID:          s[end+1 : idEnd],
		Prefix:      s[:idEnd],
		LastFour:    s[len(s)-4:],
	}, nil
}

// Check tells whether Parse would take s. It doesn't allocate.
func Check(s string) bool {
	_, err := Parse(s)
	return err == nil
}

func isEnvironment(name string) bool {
	if name == "" || len(name) > MaxEnvironment {
		return false
	}
	for i := range len(name) {
		if class[name[i]]&environmentChar == 0 {
			return false
		}
	}
	return true
}

// view lends a string's bytes to a function that only reads them: hash/crc32 dispatches through a
// variable, so that a plain conversion would escape and allocate for each key.
func view(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // nobody writes to it, or keeps it
}
