package apikey

import (
	"fmt"
	"hash/crc32"
	"io"
)

// Scheme stands in front of every key, so that people and secret scanners know one when they see it.
const Scheme = "spk_"

// Sizes of a key's parts.
const (
	MaxEnvironment = 32 // characters of an environment's name

	idBytes, idWidth         = 8, 11
	secretBytes, secretWidth = 20, 27
	checksumWidth            = 6
	tailWidth                = 1 + idWidth + 1 + secretWidth + checksumWidth // behind the environment

	// MaxLength is the length of the longest key, in bytes.
	MaxLength = len(Scheme) + MaxEnvironment + tailWidth

	// MaxImported is the length of the longest key that another system made and that is taken over. A digest of that many bytes doesn't
	// allocate.
	MaxImported = 128
)

// Key is a key just made, the one moment at which its text is known. However it is printed, only
// what may be shown comes out: Reveal gives the text.
type Key struct {
	text  string
	parts Parts
}

// Generate makes a key for an environment out of 28 bytes of random, which is crypto/rand.Reader
// outside of tests. It fails when the environment's name isn't [a-z0-9-]{1,32} or random does.
func Generate(random io.Reader, environment string) (Key, error) {
	if !isEnvironment(environment) {
		return Key{}, ErrEnvironment
	}
	var noise [idBytes + secretBytes]byte
	if _, err := io.ReadFull(random, noise[:]); err != nil {
		return Key{}, fmt.Errorf("apikey: random bytes: %w", err)
	}
	text := make([]byte, 0, MaxLength)
	text = append(text, Scheme...)
	text = append(text, environment...)
	text = append(text, '_')
	text = appendBase62(text, noise[:idBytes], idWidth)
	text = append(text, '_')
	text = appendBase62(text, noise[idBytes:], secretWidth)
	sum := checksum(crc32.ChecksumIEEE(text))
	text = append(text, sum[:]...)

	key := Key{text: string(text)}
	parts, err := Parse(key.text)
	if err != nil {
		return Key{}, fmt.Errorf("apikey: generated key doesn't parse: %w", err)
	}
	key.parts = parts
	return key, nil
}

// Reveal returns the whole key. It is shown to its owner once and kept nowhere.
func (k Key) Reveal() string { return k.text }

// Parts returns what may be shown of the key.
func (k Key) Parts() Parts { return k.parts }

// Format prints the key masked, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s_…%s", k.parts.Prefix, k.parts.LastFour) // fmt.State has no one to tell
}

// MarshalText writes the key masked, for encoders and log/slog.
func (k Key) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", k), nil }

func appendBase62(dst, number []byte, width int) []byte {
	start := len(dst)
	dst = dst[:start+width]
	putBase62(dst[start:], number)
	return dst
}

func checksum(crc uint32) (digits [checksumWidth]byte) {
	for i := checksumWidth - 1; i >= 0; i-- {
		digits[i] = alphabet62[crc%62]
		crc /= 62
	}
	return digits
}
