package corpus

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf16"
)

// disguise writes an attack in another way.
type disguise struct {
	name  string
	apply func(d dice, text string) string
}

// disguises are those that the literature on evading rules knows. Not all of them leave an attack one: for a comparison of engines that is as good.
var disguises = []disguise{
	{"plain", func(_ dice, text string) string { return text }},
	{"upper", func(_ dice, text string) string { return strings.ToUpper(text) }},
	{"lower", func(_ dice, text string) string { return strings.ToLower(text) }},
	{"mixed", each(func(d dice, c rune) string {
		if d.chance(2) {
			return string(unicode.ToUpper(c))
		}
		return string(unicode.ToLower(c))
	})},
	{"percent", func(_ dice, text string) string { return url.QueryEscape(text) }},
	{"percent-all", each(func(_ dice, c rune) string { return percent(string(c)) })},
	{"percent-some", some(4, func(c rune) string { return percent(string(c)) })},
	{"percent-u", some(2, func(c rune) string { return units(c, "%%u%04x") })},
	{"entities", some(2, func(c rune) string { return fmt.Sprintf("&#%d;", c) })},
	{"entities-hex", some(2, func(c rune) string { return fmt.Sprintf("&#x%x", c) })},
	{"script", some(2, func(c rune) string { return units(c, `\u%04x`) })},
	{"script-hex", some(2, func(c rune) string {
		if c > 0xff {
			return string(c)
		}
		return fmt.Sprintf(`\x%02x`, c)
	})},
	{"style", some(3, func(c rune) string { return fmt.Sprintf(`\%06x`, c) })},
	{"base64", func(_ dice, text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }},
	{"comments", spaces("/**/", "/*!*/", "/*a b*/", "-- x\n", "#\n")},
	{"white", spaces("\t", "\n", "\r\n", "\v", "\f", "  ", "\u00a0", "+", " \x00 ")},
	{"nulls", some(6, func(c rune) string { return string(c) + "\x00" })},
	{"folded", each(func(_ dice, c rune) string {
		if folded, ok := folds[c]; ok {
			return folded
		}
		return string(c)
	})},
	{"fullwidth", some(2, func(c rune) string {
		if c > ' ' && c < 0x7f {
			return string(c + 0xfee0)
		}
		return string(c)
	})},
	{"overlong", some(3, func(c rune) string {
		if c < 0x80 {
			return string([]byte{0xc0 | byte(c>>6), 0x80 | byte(c&0x3f)})
		}
		return string(c)
	})},
	{"invalid", some(8, func(c rune) string { return string(c) + "\xff" })},
	{"quotes", some(5, func(c rune) string { return string(c) + `''` })},
	{"backslashes", some(5, func(c rune) string { return `\` + string(c) })},
	{"carets", some(5, func(c rune) string { return "^" + string(c) })},
	{"prose", func(d dice, text string) string { return sentence(d) + " " + text + " " + sentence(d) }},
	{"lines", func(d dice, text string) string { return sentence(d) + "\n" + text + "\n" + sentence(d) }},
	{"twice", func(_ dice, text string) string { return text + text }},
	{"cut", func(d dice, text string) string { return text[d.IntN(len(text)+1)/2:] }},
	{"dots", func(_ dice, text string) string { return strings.ReplaceAll(text, "/", "/./") }},
}

// folds are letters that case folding takes for an ASCII one, and that aren't one byte.
var folds = map[rune]string{'k': "\u212a", 'K': "\u212a", 's': "\u017f", 'S': "\u017f"}

// each writes every character in another way.
func each(write func(dice, rune) string) func(dice, string) string {
	return func(d dice, text string) string {
		var b strings.Builder
		for _, c := range text {
			b.WriteString(write(d, c))
		}
		return b.String()
	}
}

// some writes one of n characters in another way.
func some(n int, write func(rune) string) func(dice, string) string {
	return each(func(d dice, c rune) string {
		if d.chance(n) {
			return write(c)
		}
		return string(c)
	})
}

// spaces puts something else between words.
func spaces(instead ...string) func(dice, string) string {
	return each(func(d dice, c rune) string {
		if c == ' ' {
			return one(d, instead)
		}
		return string(c)
	})
}

// percent encodes every byte (RFC 3986, section 2.1).
func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// units writes a character as UTF-16.
func units(c rune, format string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune{c}) {
		fmt.Fprintf(&b, format, unit)
	}
	return b.String()
}
