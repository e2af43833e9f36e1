package waf

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxPart bounds, in bytes, what is told of what matched.
	MaxPart = 64
	// MaxTarget bounds, in bytes, what is told of where.
	MaxTarget = 128

	// maxRun is how many placeholders stand for one word at most: how long a longer one was isn't told.
	maxRun = 8

	// more stands where a text goes on that isn't told, and behind a name that isn't the request's own.
	more = "…"
)

// Mask returns what matched with its structure alone: punctuation, and words of attacks (a fixed list). Of all else each letter becomes "a" or "A", each
// digit "0", what isn't ASCII "·". A word counts as a whole: "select" in "preselected" or in a password isn't on the list.
func Mask(part string) string {
	m := masker{most: MaxPart}
	for len(part) > 0 && !m.full {
		word, rest := cutWord(part)
		switch {
		case word == "":
			r, size := utf8.DecodeRuneInString(part)
			m.sign(r)
			rest = part[size:]
		case attackWords[strings.ToLower(word)]:
			m.write(word)
		default:
			m.write(placeholders(word))
		}
		part = rest
	}
	return m.String()
}

// MaskTarget returns a target ("argument:comment", "/items/0/price") in which whatever looks like a secret is masked: callers choose names, and put secrets where none
// belong. What is masked or cut ends in "…": it names nothing that a rule could be kept from.
func MaskTarget(target string) string {
	m := masker{most: MaxTarget}
	mailed := strings.ContainsRune(target, '@')
	masked := false
	for text := target; len(text) > 0 && !m.full; {
		word, rest := cutWord(text)
		switch {
		case word == "":
			r, size := utf8.DecodeRuneInString(text)
			m.name(r)
			rest = text[size:]
		case mailed && (len(text) < len(target) || !strings.HasPrefix(rest, ":")) || looksSecret(word):
			m.write(placeholders(word))
			masked = true
		default:
			m.write(word)
		}
		text = rest
	}
	if masked && !m.full && !strings.HasSuffix(m.out.String(), more) {
		m.cut()
	}
	return m.String()
}

// Whole tells whether a masked target names what the request had.
func Whole(target string) bool { return !strings.HasSuffix(target, more) }

// masker writes a text of bounded size.
type masker struct {
	out  strings.Builder
	most int
	run  rune // of signs that stand for others, and how often it was written
	runs int
	full bool
}

func (m *masker) String() string { return m.out.String() }

// write adds a text as a whole; one that has no room ends what is told.
func (m *masker) write(text string) {
	if m.out.Len()+len(text) > m.most-len(more) {
		m.cut()
		return
	}
	m.out.WriteString(text)
	m.run = 0
}

func (m *masker) cut() {
	if m.out.Len()+len(more) <= m.most {
		m.out.WriteString(more)
	}
	m.full = true
}

// sign adds a character that belongs to no word.
func (m *masker) sign(r rune) {
	switch {
	case r >= utf8.RuneSelf:
		m.repeat('·')
	case r < ' ':
		m.repeat('␀' + r) // the picture of a control character: line ends are the structure of some attacks
	case r == 0x7f:
		m.repeat('␡')
	default:
		m.write(string(r))
	}
}

// name adds a character of a name: those that show, as they are.
func (m *masker) name(r rune) {
	if r >= utf8.RuneSelf && r != utf8.RuneError && unicode.IsPrint(r) {
		m.write(string(r))
		return
	}
	m.sign(r)
}

// repeat adds a sign that stands for others, maxRun times in a row at most.
func (m *masker) repeat(r rune) {
	runs := m.runs + 1
	if r != m.run {
		runs = 1
	}
	if runs <= maxRun {
		m.write(string(r))
	}
	m.run, m.runs = r, runs
}

// cutWord cuts off the word that a text begins with; "": it begins with none.
func cutWord(text string) (word, rest string) {
	end := 0
	for end < len(text) && ofWord(text[end]) {
		end++
	}
	return text[:end], text[end:]
}

func ofWord(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_'
}

// placeholders stand for a word.
func placeholders(word string) string {
	var out [maxRun]byte
	n := copy(out[:], word)
	for i, c := range out[:n] {
		switch {
		case '0' <= c && c <= '9':
			out[i] = '0'
		case 'A' <= c && c <= 'Z':
			out[i] = 'A'
		case 'a' <= c && c <= 'z':
			out[i] = 'a'
		}
	}
	return string(out[:n])
}

const (
	// maxDigits in a row are no card's and no account's number.
	maxDigits = 6
	// maxNameWord is how long a word of a name is; one with keyDigits looks like a key from keyWord on.
	maxNameWord, keyWord, keyDigits = 40, 16, 3
)

// looksSecret tells whether a word of a name looks like a key, a token, or somebody's number.
func looksSecret(word string) bool {
	digits, row := 0, 0
	for i := range len(word) {
		if word[i] < '0' || word[i] > '9' {
			row = 0
			continue
		}
		digits++
		if row++; row > maxDigits {
			return true
		}
	}
	return len(word) > maxNameWord || len(word) >= keyWord && digits >= keyDigits
}
