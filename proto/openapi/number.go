package openapi

import (
	"math/big"
	"strings"
)

// decimal is a number as it was written: ±0.digits × 10^exponent, digits without zeros at either end. Callers write numbers whose value would fill the
// memory (1e999999999): they are compared by their digits, and never worked out.
type decimal struct {
	negative bool
	digits   string // "": zero
	exponent int64
}

// maxExponent bounds what is read of an exponent; what is beyond it is all the same.
const maxExponent = 1 << 40

// maxWorkedOut is how many digits a number may have for multiples of it to be told.
const maxWorkedOut = 400

// readNumber reads a number as JSON writes it (RFC 8259 §6).
func readNumber(text string) (decimal, bool) {
	rest, negative := strings.CutPrefix(text, "-")
	whole := leadingDigits(rest)
	rest = rest[len(whole):]
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return decimal{}, false
	}
	fraction := ""
	if after, ok := strings.CutPrefix(rest, "."); ok {
		fraction = leadingDigits(after)
		rest = after[len(fraction):]
		if fraction == "" {
			return decimal{}, false
		}
	}
	exponent, ok := readExponent(rest)
	if !ok {
		return decimal{}, false
	}
	return newDecimal(negative, whole, fraction, exponent), true
}

func newDecimal(negative bool, whole, fraction string, exponent int64) decimal {
	digits := whole
	if fraction != "" {
		digits += fraction
	}
	exponent += int64(len(whole))
	trimmed := strings.TrimLeft(digits, "0")
	exponent -= int64(len(digits) - len(trimmed))
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return decimal{}
	}
	return decimal{negative: negative, digits: trimmed, exponent: exponent}
}

func readExponent(rest string) (int64, bool) {
	if rest == "" {
		return 0, true
	}
	if rest[0] != 'e' && rest[0] != 'E' {
		return 0, false
	}
	rest = rest[1:]
	negative := strings.HasPrefix(rest, "-")
	if negative || strings.HasPrefix(rest, "+") {
		rest = rest[1:]
	}
	if rest == "" || leadingDigits(rest) != rest {
		return 0, false
	}
	var exponent int64
	for i := range len(rest) {
		exponent = min(exponent*10+int64(rest[i]-'0'), maxExponent)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}

func leadingDigits(s string) string {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}

// whole tells whether it has no fraction, however it is written: 1.0 and 1e3 have none.
func (d decimal) whole() bool { return int64(len(d.digits)) <= d.exponent || d.digits == "" }

// compare returns -1, 0 or 1.
func (d decimal) compare(other decimal) int {
	switch {
	case d.sign() != other.sign():
		return sign(d.sign() - other.sign())
	case d.digits == "":
		return 0
	case d.exponent != other.exponent:
		return sign(int(max(-1, min(1, d.exponent-other.exponent)))) * d.sign()
	}
	return strings.Compare(d.digits, other.digits) * d.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func sign(n int) int { return max(-1, min(1, n)) }

// multipleOf tells whether it is a whole number of times another one, which isn't zero; known is false where that would take too long to work out.
func (d decimal) multipleOf(other decimal) (is, known bool) {
	if d.digits == "" {
		return true, true
	}
	// Both as whole numbers of the smallest unit that either has.
	unit := min(d.exponent-int64(len(d.digits)), other.exponent-int64(len(other.digits)))
	if d.exponent-unit > maxWorkedOut || other.exponent-unit > maxWorkedOut {
		return false, false
	}
	a, b := d.inUnits(unit), other.inUnits(unit)
	return new(big.Int).Rem(a, b).Sign() == 0, true
}

func (d decimal) inUnits(unit int64) *big.Int {
	n, _ := new(big.Int).SetString(d.digits+strings.Repeat("0", int(d.exponent-int64(len(d.digits))-unit)), 10)
	return n
}

// text writes it in one way, whichever it was written in.
func (d decimal) text() string {
	var exponent big.Int
	minus := ""
	if d.negative {
		minus = "-"
	}
	return minus + d.digits + "e" + exponent.SetInt64(d.exponent).String()
}
