package attacks

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Attack is what one test holds of an attack.
type Attack struct {
	// Test is its rule and number: "942100-1".
	Test string
	// Title is what the test says that it is.
	Title string
	// Payload is the attack itself, decoded.
	Payload string
}

//go:embed attacks.gz
var packed []byte

// known are all there are, by rule.
var known = sync.OnceValues(func() (map[int][]Attack, error) { return read(packed) })

// Of returns the attacks that a rule is to find, in the order of the tests.
func Of(rule int) ([]Attack, error) {
	all, err := known()
	return all[rule], err
}

// maxLine bounds a line of the file, in bytes.
const maxLine = 64 << 10

// read reads the file: lines of a test, its title and a payload, the latter two quoted as in Go.
func read(packed []byte) (map[int][]Attack, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack the attacks: %w", err)
	}
	all := make(map[int][]Attack)
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		rule, attack, err := parse(lines.Text())
		if err != nil {
			return nil, err
		}
		all[rule] = append(all[rule], attack)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("unpack the attacks: %w", err)
	}
	return all, nil
}

func parse(line string) (int, Attack, error) {
	test, rest, _ := strings.Cut(line, " ")
	number, _, _ := strings.Cut(test, "-")
	rule, err := strconv.Atoi(number)
	if err != nil {
		return 0, Attack{}, fmt.Errorf("attack of test %q: no rule: %w", test, err)
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return 0, Attack{}, fmt.Errorf("attack of test %q: title: %w", test, err)
	}
	title, _ := strconv.Unquote(quoted) // QuotedPrefix has read it
	payload, err := strconv.Unquote(strings.TrimPrefix(rest[len(quoted):], " "))
	if err != nil {
		return 0, Attack{}, fmt.Errorf("attack of test %q: payload: %w", test, err)
	}
	return rule, Attack{Test: test, Title: title, Payload: payload}, nil
}
