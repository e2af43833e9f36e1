package corpus

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// place is where a text may stand in a request.
type place struct {
	name string
	put  func(d dice, text string) Request
}

var places = []place{
	{"query", func(d dice, text string) Request {
		return get(d, "/search?lang=en&"+word(d)+"="+url.QueryEscape(text)+"&page=2")
	}},
	{"query-name", func(d dice, text string) Request { return get(d, "/search?"+url.QueryEscape(text)+"=1") }},
	{"query-raw", func(d dice, text string) Request { return get(d, "/search?q="+visible(text)) }},
	{"path", func(d dice, text string) Request { return get(d, "/files/"+url.PathEscape(text)) }},
	{"form", func(d dice, text string) Request {
		return post(d, "/form", form, []byte("name=Ann&"+word(d)+"="+url.QueryEscape(text)+"&go=1"))
	}},
	{"form-name", func(d dice, text string) Request { return post(d, "/form", form, []byte(url.QueryEscape(text)+"=1")) }},
	{"json", func(d dice, text string) Request {
		return post(d, "/api/orders", asJSON, encoded(map[string]any{"id": d.IntN(1000), "items": []any{map[string]any{word(d): text}}, "ok": true}))
	}},
	{"json-name", func(d dice, text string) Request {
		return post(d, "/api/orders", asJSON, encoded(map[string]any{"a": 1, text: "b"}))
	}},
	{"json-escaped", func(d dice, text string) Request {
		escaped := each(func(_ dice, c rune) string { return units(c, `\u%04x`) })(d, text)
		return post(d, "/api/orders", asJSON, []byte(`{"note":"`+escaped+`"}`))
	}},
	{"cookie", func(d dice, text string) Request {
		return with(get(d, "/"), Field{"Cookie", "session=" + d.hex(32) + "; theme=" + strings.ReplaceAll(visible(text), ";", "%3b")})
	}},
	{"header", func(d dice, text string) Request { return with(get(d, "/"), Field{"X-Note", visible(text)}) }},
	{"agent", func(d dice, text string) Request {
		r := get(d, "/")
		for i := range r.Header {
			if r.Header[i].Name == "User-Agent" {
				r.Header[i].Value = visible(text)
			}
		}
		return r
	}},
	{"referer", func(d dice, text string) Request {
		return with(get(d, "/"), Field{"Referer", "https://example.com/?" + visible(text)})
	}},
	{"multipart", func(d dice, text string) Request { return multipart(d, "/upload", part{name: "note", body: text}) }},
	{"filename", func(d dice, text string) Request {
		return multipart(d, "/upload", part{name: "file", file: visible(text), kind: "text/plain", body: "hello"})
	}},
	{"xml", func(d dice, text string) Request {
		return post(d, "/soap", asXML, []byte(`<?xml version="1.0"?><order><note>`+escapeXML(text)+`</note></order>`))
	}},
	{"xml-attribute", func(d dice, text string) Request {
		return post(d, "/soap", asXML, []byte(`<?xml version="1.0"?><order note="`+escapeXML(text)+`"/>`))
	}},
	{"text", func(d dice, text string) Request { return post(d, "/form", "text/plain", []byte(text)) }},
}

// Put returns a request with a text in a place that its name decides.
func Put(name, text string) Request {
	d := roll(name, 0)
	where := one(d, places)
	r := where.put(d, text)
	r.Name = name + "/" + where.name
	return r
}

// Media types of bodies.
const (
	form   = "application/x-www-form-urlencoded"
	asJSON = "application/json"
	asXML  = "application/xml"
)

// get is a request by a browser without anything in it.
func get(d dice, target string) Request {
	return Request{Method: "GET", Target: target, Proto: "HTTP/1.1", Header: []Field{
		{"Host", "www.example.com"},
		{"User-Agent", one(d, browsers)},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		{"Accept-Language", one(d, languages)},
		{"Accept-Encoding", "gzip, deflate, br"},
	}}
}

// post is a request with a body.
func post(d dice, target, kind string, body []byte) Request {
	r := get(d, target)
	r.Method, r.Body = "POST", body
	r.Header = append(r.Header, Field{"Content-Type", kind})
	r.complete()
	return r
}

// with adds a field.
func with(r Request, f Field) Request {
	r.Header = append(r.Header, f)
	return r
}

// part is one of a multipart body.
type part struct{ name, file, kind, body string }

// multipart is a form with files (RFC 7578).
func multipart(d dice, target string, parts ...part) Request {
	boundary := "----WebKitFormBoundary" + d.text(alphanumeric, 16)
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary, p.name)
		if p.file != "" {
			fmt.Fprintf(&b, "; filename=\"%s\"\r\nContent-Type: %s", strings.ReplaceAll(p.file, `"`, "%22"), p.kind)
		}
		fmt.Fprintf(&b, "\r\n\r\n%s\r\n", p.body)
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return post(d, target, "multipart/form-data; boundary="+boundary, []byte(b.String()))
}

// encoded is a value as JSON. What isn't UTF-8 becomes the replacement character.
func encoded(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings, numbers, maps of them
	}
	return text
}

// visible percent-encodes what may stand in no line of a head.
func visible(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c == 0x7f || c == '#' {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\x00", "")

// escapeXML is a text as the content of an element or attribute.
func escapeXML(text string) string { return xmlEscapes.Replace(strings.ToValidUTF8(text, "?")) }
