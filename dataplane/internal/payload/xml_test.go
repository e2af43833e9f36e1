package payload_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

var xmlRules = map[string]string{ // "": taken
	"<a/>": "", "<a></a>": "", ` <a b="1" c='2'><d>text &amp; &#65;&#x41;</d><!-- note --><![CDATA[<raw>]]></a> `: "",
	`<?xml version="1.0"?><a/>`: "", `<?xml version='1.0' encoding='utf-8' standalone="yes" ?><a/>`: "", "\xef\xbb\xbf<a/>": "",
	`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>`: "", "<ü>é</ü>": "", "<a\n b = '>'\t/>": "",

	`<!DOCTYPE a><a/>`: "xml_doctype", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`: "xml_doctype",
	`<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://evil/x.dtd"><a/>`: "xml_doctype", `<a><!ENTITY x "y"></a>`: "xml_doctype", "<a><!doctype></a>": "xml_doctype",
	"<a>&x;</a>": "xml_entity", `<a b="&x;"/>`: "xml_entity", "<a>&</a>": "xml_entity", "<a>&amp</a>": "xml_entity", "<a>&#0;</a>": "xml_entity", "<a>&#xd800;</a>": "xml_entity",
	"<a>&#x110000;</a>": "xml_entity", "<a>&;</a>": "xml_entity", "<a>&#;</a>": "xml_entity", "<a>&#x;</a>": "xml_entity", "<a>&#12a;</a>": "xml_entity", "<a>&nbsp;</a>": "xml_entity",
	`<?xml-stylesheet href="http://evil/x.xsl"?><a/>`: "xml_instruction", "<a><?php x ?></a>": "xml_instruction", ` <?xml version="1.0"?><a/>`: "xml_instruction",
	`<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd"/></a>`: "xml_inclusion", `<a xmlns="http://www.w3.org/2001/XIncl&#117;de"/>`: "xml_inclusion",
	`<?xml version="1.0" encoding="utf-16"?><a/>`: "xml_encoding", `<?xml version="1.0" encoding="UTF-7"?><a/>`: "xml_encoding", "<a>\xff</a>": "xml_encoding",
	"\xff\xfe<\x00a\x00/\x00>\x00": "xml_encoding", `<?xml version="1.1"?><a/>`: "xml_version",
	`<?xml encoding="utf-8"?><a/>`: "xml_syntax", `<?xml version="1.0" evil="1"?><a/>`: "xml_syntax", `<?xml version="1.0" standalone="maybe"?><a/>`: "xml_syntax",
	"": "xml_syntax", "text": "xml_syntax", "<a/><b/>": "xml_syntax", "<a/>text": "xml_syntax", "<![CDATA[x]]><a/>": "xml_syntax", "<a></b>": "xml_syntax", "</a>": "xml_syntax",
	"<a b=1/>": "xml_syntax", "<a b/>": "xml_syntax", `<a b="1" b="2"/>`: "xml_syntax", `<a b="1"c="2"/>`: "xml_syntax", `<a b="<"/>`: "xml_syntax", "<a>]]></a>": "xml_syntax",
	"<a><!-- -- --></a>": "xml_syntax", "<a><!-- x ---></a>": "xml_syntax", "< a/>": "xml_syntax", "<1/>": "xml_syntax", "<a:b:c/>": "xml_syntax", "<:a/>": "xml_syntax", "<a:/>": "xml_syntax",
	"<a>\x00</a>": "xml_syntax", "<a>\x0b</a>": "xml_syntax", "<a>\uffff</a>": "xml_syntax", "<a></a b>": "xml_syntax",
	"<a>": "xml_truncated", "<a><b></b>": "xml_truncated", "<a><!--": "xml_truncated", "<a><![CDATA[": "xml_truncated", `<a b="`: "xml_truncated",
	strings.Repeat("<a>", 1001): "xml_depth", "<a" + manyAttributes(101) + "/>": "xml_attributes",
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("b", i) + `=""`)
	}
	return b.String()
}

func TestXMLThatIsNotWellFormedAndAloneIsRefused(t *testing.T) {
	t.Parallel()
	for content, rule := range xmlRules {
		if _, err := payload.ParseXML([]byte(content), nil); faultOf(t, err) != rule {
			t.Errorf("%.100q: %v, want %q", content, err, rule)
		}
		checkXML(t, []byte(content))
	}
	doc, err := payload.ParseXML([]byte(`<a><b c="12345" d=""><e/></b><b>12</b></a>`), nil)
	if err != nil || *doc != (payload.XML{Elements: 4, Attributes: 2, Depth: 3, TextBytes: 5}) {
		t.Errorf("%+v, %v", doc, err)
	}
}

// checkXML holds the parser against encoding/xml: what is taken has the same elements and attributes.
func checkXML(t testing.TB, content []byte) {
	t.Helper()
	doc, err := payload.ParseXML(content, nil)
	if err != nil {
		faultOf(t, err)
		return
	}
	d := xml.NewDecoder(strings.NewReader(string(content)))
	var elements, attributes, depth, deepest int
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && strings.Contains(err.Error(), "invalid XML name") {
			return // the reference has the names of an earlier edition of XML 1.0, which allowed fewer
		}
		if err != nil {
			t.Fatalf("%q is taken, and the reference says %v", content, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements++
			attributes += len(token.Attr)
			depth++
			deepest = max(deepest, depth)
		case xml.EndElement:
			depth--
		case xml.Directive:
			t.Fatalf("%q is taken with a directive", content)
		}
	}
	if elements != doc.Elements || attributes != doc.Attributes || deepest != doc.Depth {
		t.Fatalf("%q is read as %+v, by the reference as %d elements with %d attributes, %d deep", content, doc, elements, attributes, deepest)
	}
}

func FuzzXML(f *testing.F) {
	for content := range xmlRules {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) { checkXML(t, content) })
}
